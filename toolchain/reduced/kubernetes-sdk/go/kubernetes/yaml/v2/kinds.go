// Package v2 registers objects of any kind with the engine.
//
// The library's own package of this name is typed: through it, all 60 packages of the SDK are compiled into a
// provider that only hands objects on. What the engine is told is the same: for each of the kinds that
// the library knows, its type token is made of API version and kind by the one rule below.
package v2

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// object is a resource of which no output is asked for.
type object struct {
	pulumi.CustomResourceState
}

// RegisterResource registers an object under its API version and kind.
func RegisterResource(
	ctx *pulumi.Context, apiVersion, kind, name string, props pulumi.Input, opts ...pulumi.ResourceOption,
) (pulumi.CustomResource, error) {
	var registered object
	if err := ctx.RegisterResource(token(apiVersion, kind), name, props, &registered, opts...); err != nil {
		return nil, err
	}
	return &registered, nil
}

// token is the type of a kind in the provider's schema; the API group without a name is called core there.
func token(apiVersion, kind string) string {
	if apiVersion == "v1" {
		apiVersion = "core/v1"
	}
	return "kubernetes:" + apiVersion + ":" + kind
}
