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
	provider.Serve("kubernetes", version.Version, schema, terraformMapping)
}
