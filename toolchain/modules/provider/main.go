// Command pulumi-resource-kubernetes serves the Pulumi provider for Kubernetes.
//
// The provider's module is a library with a main package whose embedded files are made by its own build. This main
// package embeds the same files; the toolchain copies them here out of the module, with the version written into
// the schema.
package main

import (
	_ "embed"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var terraformMapping []byte

func main() {
	// The engine reads the first line of stdout as a port, so the version is printed only when it is asked for.
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println(version.Version)
		return
	}
	directory, err := ownTemporaryDirectory()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-kubernetes:", err)
		os.Exit(1)
	}
	go endWithSignal(directory)
	go endWithEngine(os.Getppid(), directory)
	provider.Serve("kubernetes", version.Version, schema, terraformMapping)
	os.RemoveAll(directory)
}

// endWithEngine ends the provider soon after the engine that started it. The provider itself asks for its engine
// every five minutes only, and waits for requests that are under way; until then it would go on changing a cluster
// for an engine that was killed.
func endWithEngine(engine int, directory string) {
	for range time.Tick(500 * time.Millisecond) {
		if os.Getppid() != engine {
			os.RemoveAll(directory)
			os.Exit(1)
		}
	}
}

// endWithSignal ends the provider as a signal does by itself, with nothing left behind. It is how the engine ends it.
func endWithSignal(directory string) {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
	<-ended
	os.RemoveAll(directory)
	os.Exit(2)
}

const temporaryPrefix = "pulumi-resource-kubernetes-"

// ownTemporaryDirectory makes a directory for the provider's temporary files, to be removed when it ends. For each
// cluster it writes the whole kubeconfig there and never removes it. What killed providers left is removed first.
func ownTemporaryDirectory() (string, error) {
	there, err := filepath.Glob(filepath.Join(os.TempDir(), temporaryPrefix+"*"))
	if err != nil {
		return "", err
	}
	for _, directory := range there {
		// A young one may be about to be locked.
		if found, err := os.Stat(directory); err == nil && time.Since(found.ModTime()) > time.Minute && lock(directory) {
			os.RemoveAll(directory)
		}
	}
	directory, err := os.MkdirTemp("", temporaryPrefix)
	if err != nil {
		return "", err
	}
	lock(directory)
	return directory, os.Setenv("TMPDIR", directory)
}

// lock takes a directory for this process until it ends, and tells whether no other had it.
func lock(directory string) bool {
	file, err := syscall.Open(directory, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	return err == nil && syscall.Flock(file, syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
