// Writes which kinds a release of Kubernetes serves in which API versions, and until when: read in its own source, of which
// nothing is compiled. `make served` keeps them beside this file.
package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What is known of a kind in an API version. Versions are minor ones of Kubernetes.
type kind struct {
	// Whether an API server serves it that is told nothing: "by default", "on request" or "no".
	Served     string `json:"served"`
	Since      string `json:"since,omitempty"`
	Deprecated string `json:"deprecated,omitempty"`
	// The first version without it.
	Until   string `json:"until,omitempty"`
	Instead string `json:"instead,omitempty"`
}

type kinds = map[string]map[string]*kind

var module = map[string]string{}

func main() {
	for _, name := range []string{"kubernetes", "api", "kubelet", "kube-proxy"} {
		found, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/"+name).Output()
		must(err)
		module[name] = strings.TrimSpace(string(found))
		want(module[name] != "", "k8s.io/"+name+" is not there: go mod download k8s.io/"+name)
	}
	known := lifecycles()
	discovered(known, offByDefault())
	for _, of := range known {
		// Neither served nor ended: programs say it to each other.
		maps.DeleteFunc(of, func(_ string, kind *kind) bool { return kind.Served == "no" && kind.Until == "" })
	}
	maps.DeleteFunc(known, func(_ string, of map[string]*kind) bool { return len(of) == 0 })
	fmt.Printf("{\n\"configurations\": %s,\n\"kinds\": {", encoded(configurations()))
	for number, of := range slices.Sorted(maps.Keys(known)) {
		fmt.Printf("%s\n %s: %s", strings.Repeat(",", min(number, 1)), encoded(of), encoded(known[of]))
	}
	fmt.Println("\n}\n}")
}

// One line for each API version: what changes from one release to the next is seen at once.
func encoded(value any) string {
	text, err := json.Marshal(value)
	must(err)
	return string(text)
}

// Since when and until when kinds are served, as the packages of k8s.io/api say; they keep what has ended long ago.
func lifecycles() kinds {
	known := kinds{}
	for _, file := range files(module["api"], "*/*/zz_generated.prerelease-lifecycle.go") {
		of := apiVersion(filepath.Dir(file))
		for _, declared := range parsed(file).Decls {
			function, ok := declared.(*ast.FuncDecl)
			if !ok || function.Recv == nil {
				continue
			}
			name := function.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name
			if isPart(name) {
				continue
			}
			returned := function.Body.List[0].(*ast.ReturnStmt).Results
			entry := entry(known, of, name)
			switch function.Name.Name {
			case "APILifecycleIntroduced":
				entry.Since = version(returned)
			case "APILifecycleDeprecated":
				entry.Deprecated = version(returned)
			case "APILifecycleRemoved":
				entry.Until = version(returned)
			case "APILifecycleReplacement":
				said := map[string]string{}
				for _, element := range returned[0].(*ast.CompositeLit).Elts {
					pair := element.(*ast.KeyValueExpr)
					said[pair.Key.(*ast.Ident).Name] = text(pair.Value)
				}
				entry.Instead = joined(said["Group"], said["Version"]) + " " + said["Kind"]
			}
		}
	}
	want(len(known) > 0, "no lifecycles in "+module["api"])
	return known
}

// The API versions that an API server only serves when it is told to.
func offByDefault() []string {
	source := parsed(filepath.Join(module["kubernetes"], "pkg/controlplane/instance.go"))
	imports := map[string]string{}
	for _, one := range source.Imports {
		if one.Name != nil {
			imports[one.Name.Name] = text(one.Path)
		}
	}
	off := []string{}
	ast.Inspect(source, func(node ast.Node) bool {
		list, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasSuffix(list.Names[0].Name, "APIGroupVersionsDisabledByDefault") {
			return true
		}
		for _, element := range list.Values[0].(*ast.CompositeLit).Elts {
			imported := imports[element.(*ast.SelectorExpr).X.(*ast.Ident).Name]
			name, below, _ := strings.Cut(strings.TrimPrefix(imported, "k8s.io/"), "/")
			off = append(off, apiVersion(filepath.Join(module[name], below)))
		}
		return true
	})
	want(len(off) > 0, "pkg/controlplane/instance.go says otherwise what is off by default")
	return off
}

// Notes what an API server of this release has that was told to serve all of it.
func discovered(known kinds, off []string) {
	for _, file := range append(files(module["kubernetes"], "api/discovery/apis__*__*.json"),
		files(module["kubernetes"], "api/discovery/api__v1.json")...) {
		var document struct {
			GroupVersion string
			Resources    []struct{ Name, Kind, Group, Version string }
		}
		content, err := os.ReadFile(file)
		must(err)
		must(json.Unmarshal(content, &document))
		for _, resource := range document.Resources {
			if isPart(resource.Kind) {
				continue
			}
			// What is below a resource may be of another group: evictions, scales, tokens.
			of := document.GroupVersion
			if resource.Version != "" {
				of = joined(resource.Group, resource.Version)
			}
			entry := entry(known, of, resource.Kind)
			entry.Served = "by default"
			if slices.Contains(off, of) {
				entry.Served = "on request"
			}
		}
	}
}

// Kinds of the files that kubeadm, kubelet and kube-proxy read, by API version.
func configurations() map[string][]string {
	found := map[string][]string{}
	directories := files(module["kubelet"], "config/v*")
	directories = append(directories, files(module["kube-proxy"], "config/v*")...)
	kubeadm := filepath.Join(module["kubernetes"], "cmd/kubeadm/app/apis/kubeadm")
	for _, one := range parsed(filepath.Join(kubeadm, "scheme/scheme.go")).Imports {
		if last := path.Base(text(one.Path)); path.Base(path.Dir(text(one.Path))) == "kubeadm" && isVersion(last) {
			directories = append(directories, filepath.Join(kubeadm, last))
		}
	}
	for _, directory := range directories {
		of := apiVersion(directory)
		ast.Inspect(parsed(filepath.Join(directory, "register.go")), func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if called, selects := selected(call, ok); selects && called == "AddKnownTypes" {
				for _, argument := range call.Args[1:] {
					name := argument.(*ast.UnaryExpr).X.(*ast.CompositeLit).Type.(*ast.Ident).Name
					found[of] = append(found[of], name)
				}
			}
			return true
		})
		slices.Sort(found[of])
	}
	return found
}

// Whether a kind is no object, but many of them or how one is asked for.
func isPart(kind string) bool {
	return strings.HasSuffix(kind, "List") || strings.HasSuffix(kind, "Options")
}

func selected(call *ast.CallExpr, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", false
	}
	return selector.Sel.Name, true
}

func entry(known kinds, of, name string) *kind {
	if known[of] == nil {
		known[of] = map[string]*kind{}
	}
	if known[of][name] == nil {
		known[of][name] = &kind{Served: "no"}
	}
	return known[of][name]
}

// The API version of a package: its group is a constant, its version the directory's name.
func apiVersion(directory string) string {
	group, known := "", false
	ast.Inspect(parsed(filepath.Join(directory, "register.go")), func(node ast.Node) bool {
		if spec, ok := node.(*ast.ValueSpec); ok && spec.Names[0].Name == "GroupName" {
			group, known = text(spec.Values[0]), true
		}
		return true
	})
	want(known, directory+" does not say its group")
	return joined(group, filepath.Base(directory))
}

func joined(group, version string) string {
	return strings.TrimPrefix(group+"/"+version, "/")
}

var versions = regexp.MustCompile(`^v\d+((alpha|beta)\d+)?$`)

func isVersion(name string) bool { return versions.MatchString(name) }

func version(returned []ast.Expr) string {
	return returned[0].(*ast.BasicLit).Value + "." + returned[1].(*ast.BasicLit).Value
}

func text(expression ast.Expr) string {
	value, err := strconv.Unquote(expression.(*ast.BasicLit).Value)
	must(err)
	return value
}

func files(directory, pattern string) []string {
	found, err := filepath.Glob(filepath.Join(directory, pattern))
	must(err)
	return found
}

func parsed(file string) *ast.File {
	source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	must(err)
	return source
}

func want(is bool, words string) {
	if !is {
		panic(fmt.Errorf("%s", words))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
