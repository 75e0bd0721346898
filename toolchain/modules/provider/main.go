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
	go endWithEngine(os.Getppid())
	provider.Serve("kubernetes", version.Version, schema, terraformMapping)
}

// endWithEngine ends the provider soon after the engine that started it. The provider itself asks for its engine
// every five minutes only, and waits for requests that are under way; until then it would go on changing a cluster
// for an engine that was killed.
func endWithEngine(engine int) {
	for range time.Tick(500 * time.Millisecond) {
		if os.Getppid() != engine {
			os.Exit(1)
		}
	}
}
