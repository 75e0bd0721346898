package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// managerService is the service that keeps the assets.
const managerService = "asset-mgr-ms-svc"

// prefixes are the paths under which the services are exposed.
var prefixes = map[string]string{
	"asset-consumer-svc":      "/assetconsumer",
	"asset-dashboard-bff-svc": "/assetdashboard",
	managerService:            "/assetmgrms",
}

// config is what the environment says.
type config struct {
	Service, Pod, Node, Cluster, Region string
	// Prefix is the path of this service, with a leading slash and none at the end.
	Prefix string
	// Upstream is the URL that is asked for every answer, or nil.
	Upstream        *url.URL
	UpstreamTimeout time.Duration
	ListenAddress   string
	DrainDelay      time.Duration
	ShutdownTimeout time.Duration
}

func (c config) upstreamName() string {
	if c.Upstream == nil {
		return ""
	}
	return c.Upstream.String()
}

// loadConfig reads the environment and reports everything that is wrong with it at once.
func loadConfig(lookup func(string) (string, bool)) (config, error) {
	var problems []error
	get := func(name, standard string) string {
		if value, ok := lookup(name); ok && value != "" {
			return value
		}
		return standard
	}
	duration := func(name string, standard, longest time.Duration) time.Duration {
		text := get(name, standard.String())
		value, err := time.ParseDuration(text)
		if err != nil || value < 0 || value > longest {
			problems = append(problems, fmt.Errorf("%s=%q: must be a duration from 0s to %s, such as %s", name, text, longest, standard))
			return standard
		}
		return value
	}
	result := config{
		Service:         get("SERVICE_NAME", ""),
		Pod:             get("POD_NAME", ""),
		Node:            get("NODE_NAME", ""),
		Cluster:         get("CLUSTER_NAME", ""),
		Region:          get("REGION_NAME", ""),
		ListenAddress:   get("LISTEN_ADDRESS", ":8080"),
		UpstreamTimeout: duration("UPSTREAM_TIMEOUT", 3*time.Second, time.Minute),
		DrainDelay:      duration("DRAIN_DELAY", 3*time.Second, time.Minute),
		ShutdownTimeout: duration("SHUTDOWN_TIMEOUT", 15*time.Second, 5*time.Minute),
	}
	if result.Service == "" {
		problems = append(problems, errors.New("SERVICE_NAME is missing: set it to the service that this pod runs, such as asset-consumer-svc"))
	}
	result.Prefix = get("PATH_PREFIX", prefixes[result.Service])
	switch trimmed := strings.TrimRight(result.Prefix, "/"); {
	case result.Service != "" && result.Prefix == "":
		problems = append(problems, fmt.Errorf("PATH_PREFIX is missing, and the service %q has no path of its own", result.Service))
	case result.Prefix != "" && (!strings.HasPrefix(trimmed, "/") || strings.ContainsAny(trimmed, "{} ?#") || strings.Contains(trimmed, "//")):
		problems = append(problems, fmt.Errorf("PATH_PREFIX=%q: must be a path such as /assetconsumer, and not the root", result.Prefix))
	default:
		result.Prefix = trimmed
	}
	if text := get("UPSTREAM_URL", ""); text != "" {
		upstream, err := url.Parse(text)
		if err != nil || upstream.Scheme != "http" && upstream.Scheme != "https" || upstream.Host == "" {
			problems = append(problems, fmt.Errorf("UPSTREAM_URL=%q: must be a URL such as http://asset-mgr-ms-svc:8080/assetmgrms", text))
		}
		result.Upstream = upstream
	}
	return result, errors.Join(problems...)
}
