// Writes what a release of Kubernetes takes as configuration of kubelet and kube-proxy: schemas of both kinds and their
// defaults, made of the release's own types, feature gates and checks. `make configurations` keeps them beside this file.
package main

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"

	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
	kubeproxy "k8s.io/kube-proxy/config/v1alpha1"
	kubelet "k8s.io/kubelet/config/v1beta1"
	_ "k8s.io/kubernetes/pkg/features"
	generated "k8s.io/kubernetes/pkg/generated/openapi"
	kubeletinternal "k8s.io/kubernetes/pkg/kubelet/apis/config"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config/v1beta1"
	kubeletchecks "k8s.io/kubernetes/pkg/kubelet/apis/config/validation"
	eviction "k8s.io/kubernetes/pkg/kubelet/eviction/api"
	proxyinternal "k8s.io/kubernetes/pkg/proxy/apis/config"
	proxyconfig "k8s.io/kubernetes/pkg/proxy/apis/config/v1alpha1"
	proxychecks "k8s.io/kubernetes/pkg/proxy/apis/config/validation"
)

const (
	here          = "#/$defs/"
	kubeletKind   = "k8s.io/kubelet/config/v1beta1.KubeletConfiguration"
	kubeProxyKind = "k8s.io/kube-proxy/config/v1alpha1.KubeProxyConfiguration"
	conntrackKind = "k8s.io/kube-proxy/config/v1alpha1.KubeProxyConntrackConfiguration"
	noSuchWord    = "no-such-word"
	mostOfInt32   = 1<<31 - 1
)

type object = map[string]any

// How text is read that a schema only calls text: time.ParseDuration, resource.ParseQuantity.
var formats = map[string]string{
	"k8s.io/apimachinery/pkg/apis/meta/v1.Duration": "duration",
	"k8s.io/apimachinery/pkg/api/resource.Quantity": "quantity",
}

// Limits that the checks of this release may have: each is tried.
var limits = []int64{31, 100, 1000, 65535}

// Words that some field of this release may take: each is tried on each field that does not take any text.
var words = []string{
	"AlwaysVerify", "BridgeInterface", "ClusterCIDR", "InterfaceNamePrefix", "NeverVerify",
	"NeverVerifyAllowlistedImages", "NeverVerifyPreloadedImages", "NodeCIDR", "best-effort", "container", "hairpin-veth",
	"iptables", "ipvs", "nftables", "none", "pod", "promiscuous-bridge", "restricted", "single-numa-node", "userspace",
}

// What is checked later than the rest, where kubelet takes the value into use: NewContainerManager, NewMainKubelet,
// parseResourceList and parseThresholdStatements of this release.
func later() object {
	choice := func(values ...any) object { return object{"type": "string", "enum": values} }
	every := func(keys []string, value object) object {
		properties := object{}
		for _, key := range keys {
			properties[key] = value
		}
		return object{"type": "object", "properties": properties, "additionalProperties": false}
	}
	text := func(format string) object { return object{"type": "string", "format": format} }
	signals := []string{}
	for signal := range eviction.OpForSignal {
		signals = append(signals, string(signal))
	}
	reserved := every([]string{"cpu", "memory", "ephemeral-storage", "pid"}, text("quantity"))
	return object{
		"cgroupDriver":                              choice("cgroupfs", "systemd"),
		"cpuManagerPolicy":                          choice("none", "static"),
		"memoryManagerPolicy":                       choice("None", "Static"),
		"configMapAndSecretChangeDetectionStrategy": choice("Cache", "Get", "Watch"),
		"systemReserved":                            reserved,
		"kubeReserved":                              reserved,
		"evictionHard":                              every(signals, text("threshold")),
		"evictionSoft":                              every(signals, text("threshold")),
		"evictionMinimumReclaim":                    every(signals, text("threshold")),
		"evictionSoftGracePeriod":                   every(signals, text("duration")),
	}
}

func main() {
	definitions := map[string]common.OpenAPIDefinition{}
	reference := func(name string) spec.Ref { return spec.MustCreateRef(here + named(name)) }
	for name, definition := range generated.GetOpenAPIDefinitions(reference) {
		definitions[named(name)] = definition
	}
	defs := object{}
	for _, name := range []string{kubeletKind, kubeProxyKind} {
		add(name, definitions, defs)
		properties(defs, name)["featureGates"] = gates()
		for _, known := range []string{"apiVersion", "kind"} {
			delete(properties(defs, name), known)
		}
	}
	for name := range whole {
		if made, ok := defs[name].(object); ok && len(definitions[name].Schema.Required) > 0 {
			made["required"] = definitions[name].Schema.Required
		}
	}
	maps.Copy(properties(defs, kubeletKind), later())
	kubeletRefuses(object{})
	kubeProxyRefuses(object{})
	tried(properties(defs, kubeletKind), kubeletRefuses)
	tried(properties(defs, kubeProxyKind), kubeProxyRefuses)
	tried(properties(defs, conntrackKind), func(field object) bool { return kubeProxyRefuses(object{"conntrack": field}) })
	agent, proxy := &kubelet.KubeletConfiguration{}, &kubeproxy.KubeProxyConfiguration{}
	kubeletconfig.SetDefaults_KubeletConfiguration(agent)
	proxyconfig.SetDefaults_KubeProxyConfiguration(proxy)
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	must(encoder.Encode(object{
		"$defs":     defs,
		"defaults":  object{"kubelet": agent, "kubeProxy": proxy},
		"kubelet":   object{"$ref": here + kubeletKind},
		"kubeProxy": object{"$ref": here + kubeProxyKind},
	}))
}

// Entries of lists, by name: nothing is merged into these, so that what Go's tags want must be there.
var whole = map[string]bool{}

// The name of a type by its package. From 1.35 on it is `io.k8s.kubelet.config.v1beta1.KubeletConfiguration`.
func named(name string) string {
	parts := strings.Split(name, ".")
	if len(parts) < 4 || parts[0] != "io" || parts[1] != "k8s" {
		return name
	}
	last := len(parts) - 1
	return "k8s.io/" + strings.Join(parts[2:last], "/") + "." + parts[last]
}

func properties(defs object, name string) object {
	return defs[name].(object)["properties"].(object)
}

func add(name string, definitions map[string]common.OpenAPIDefinition, defs object) {
	if _, known := defs[name]; known {
		return
	}
	definition := definitions[name]
	defs[name] = schema(definition.Schema)
	if format, ok := formats[name]; ok {
		defs[name] = object{"type": "string", "format": format}
	}
	for _, other := range definition.Dependencies {
		add(named(other), definitions, defs)
	}
}

// A field may be left out, whatever Go's tags say: what is declared is merged into what is there.
func schema(from spec.Schema) object {
	made := object{}
	if reference := from.Ref.String(); reference != "" {
		made["$ref"] = reference
	}
	if len(from.Type) > 0 {
		made["type"] = from.Type[0]
	}
	if len(from.AllOf) == 1 {
		maps.Copy(made, schema(from.AllOf[0]))
	}
	if len(from.Enum) > 0 {
		made["enum"] = from.Enum
	}
	if from.Format == "int32" {
		made["maximum"] = mostOfInt32
	}
	if from.Items != nil && from.Items.Schema != nil {
		made["items"] = schema(*from.Items.Schema)
		whole[strings.TrimPrefix(from.Items.Schema.Ref.String(), here)] = true
		for _, one := range from.Items.Schema.AllOf {
			whole[strings.TrimPrefix(one.Ref.String(), here)] = true
		}
	}
	if len(from.Properties) > 0 {
		properties := object{}
		for name, property := range from.Properties {
			properties[name] = schema(property)
		}
		made["properties"], made["additionalProperties"] = properties, false
	} else if from.AdditionalProperties != nil && from.AdditionalProperties.Schema != nil {
		made["additionalProperties"] = schema(*from.AdditionalProperties.Schema)
	}
	return made
}

// The gates that there are; of those that are locked, the only value that is taken.
func gates() object {
	properties := object{}
	for name, gate := range utilfeature.DefaultMutableFeatureGate.GetAll() {
		properties[string(name)] = object{"type": "boolean"}
		if gate.LockToDefault {
			properties[string(name)] = object{"type": "boolean", "enum": []any{gate.Default}}
		}
	}
	return object{"type": "object", "properties": properties, "additionalProperties": false}
}

// Adds to fields of numbers and texts what the release's own checks take of them, by trying.
func tried(fields object, refuses func(object) bool) {
	for name, field := range fields {
		known := field.(object)
		takes := func(value any) bool { return !refuses(object{name: value}) }
		switch known["type"] {
		case "integer":
			for _, least := range []int64{-1000, 0, 1} {
				if !takes(least-1) && takes(least) {
					known["minimum"] = least
				}
			}
			for _, most := range limits {
				if takes(most) && !takes(most+1) {
					known["maximum"] = most
				}
			}
		case "string":
			if known["enum"] == nil && !takes(noSuchWord) {
				if taken := slices.DeleteFunc(slices.Clone(words), func(word string) bool { return !takes(word) }); len(taken) > 1 {
					known["enum"] = taken
				}
			}
		}
	}
}

func kubeletRefuses(fields object) bool {
	given, internal := &kubelet.KubeletConfiguration{}, &kubeletinternal.KubeletConfiguration{}
	must(json.Unmarshal(encoded(fields), given))
	kubeletconfig.SetDefaults_KubeletConfiguration(given)
	must(kubeletconfig.Convert_v1beta1_KubeletConfiguration_To_config_KubeletConfiguration(given, internal, nil))
	// Whether this computer's control groups will do is a matter of this computer.
	internal.FailCgroupV1 = false
	refused := kubeletchecks.ValidateKubeletConfiguration(internal, utilfeature.DefaultFeatureGate)
	if len(fields) == 0 {
		must(refused) // Nothing could be learnt by trying.
	}
	return refused != nil
}

func kubeProxyRefuses(fields object) bool {
	given, internal := &kubeproxy.KubeProxyConfiguration{}, &proxyinternal.KubeProxyConfiguration{}
	must(json.Unmarshal(encoded(fields), given))
	proxyconfig.SetDefaults_KubeProxyConfiguration(given)
	must(proxyconfig.Convert_v1alpha1_KubeProxyConfiguration_To_config_KubeProxyConfiguration(given, internal, nil))
	refused := proxychecks.Validate(internal)
	if len(fields) == 0 {
		must(refused.ToAggregate()) // Nothing could be learnt by trying.
	}
	return len(refused) > 0
}

func encoded(value any) []byte {
	text, err := json.Marshal(value)
	must(err)
	return text
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
