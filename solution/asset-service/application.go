package main

import (
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
)

// application serves one service's requests.
type application struct {
	config   config
	log      *slog.Logger
	upstream *upstreamClient
	assets   *assetStore
	draining atomic.Bool
}

func newApplication(config config, log *slog.Logger) *application {
	app := &application{config: config, log: log}
	if config.Upstream != nil {
		app.upstream = newUpstreamClient(config.Upstream, config.UpstreamTimeout)
	}
	if config.Service == managerService {
		app.assets = newAssetStore()
	}
	return app
}

// answer is what every request under the service's path gets: who gave it, who asked, what the upstream said.
type answer struct {
	Service string `json:"service"`
	Pod     string `json:"pod"`
	Node    string `json:"node"`
	Cluster string `json:"cluster"`
	Region  string `json:"region"`
	Path    string `json:"path"`
	// ClientAddress is the connection's other end: the sidecar in the mesh, the caller itself outside it.
	ClientAddress string   `json:"clientAddress"`
	ForwardedFor  []string `json:"forwardedFor,omitempty"`
	// Peer is the caller as the sidecar verified it; missing where no sidecar did.
	Peer   *peer  `json:"peer,omitempty"`
	Assets *count `json:"assets,omitempty"`
	// Upstream is the upstream's own answer, or an object with "error".
	Upstream any `json:"upstream,omitempty"`
}

type count struct {
	Count int `json:"count"`
}

func (a *application) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz/live", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "live"})
	})
	mux.HandleFunc("GET /healthz/ready", a.ready)
	mux.HandleFunc("GET "+a.config.Prefix, a.identify)
	mux.HandleFunc("GET "+a.config.Prefix+"/", a.identify)
	if a.assets != nil {
		mux.HandleFunc("GET "+a.config.Prefix+"/assets", a.listAssets)
		mux.HandleFunc("POST "+a.config.Prefix+"/assets", a.addAsset)
		mux.HandleFunc("GET "+a.config.Prefix+"/assets/{id}", a.showAsset)
	}
	mux.HandleFunc(a.config.Prefix, methodNotAllowed)
	mux.HandleFunc(a.config.Prefix+"/", methodNotAllowed)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "there is nothing at "+r.URL.Path+"; this service's path is "+a.config.Prefix)
	})
	return a.observed(mux)
}

// ready says whether this pod should get requests. It does not ask the upstream: one service's failure
// must not take the services that depend on it out of every region.
func (a *application) ready(w http.ResponseWriter, _ *http.Request) {
	if a.draining.Load() {
		writeError(w, http.StatusServiceUnavailable, "draining")
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}

// identify answers with this service's identity and, where it has an upstream, with the upstream's answer.
// Without that it answers 502, so that nobody takes half an answer for a whole one.
func (a *application) identify(w http.ResponseWriter, r *http.Request) {
	reply := answer{
		Service: a.config.Service, Pod: a.config.Pod, Node: a.config.Node,
		Cluster: a.config.Cluster, Region: a.config.Region,
		Path: r.URL.Path, ClientAddress: clientAddress(r),
		ForwardedFor: r.Header.Values("X-Forwarded-For"),
		Peer:         peerOf(r.Header),
	}
	if a.assets != nil {
		reply.Assets = &count{a.assets.count()}
	}
	status := http.StatusOK
	if a.upstream != nil {
		body, err := a.upstream.get(r.Context(), r.Header)
		if err != nil {
			status = http.StatusBadGateway
			reply.Upstream = map[string]string{"url": a.config.upstreamName(), "error": err.Error()}
			a.log.Warn("upstream failed", "url", a.config.upstreamName(), "error", err.Error(), "requestId", r.Header.Get("X-Request-Id"))
		} else {
			reply.Upstream = body
		}
	}
	writeJSON(w, status, reply)
}

func methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Allow", "GET, HEAD")
	writeError(w, http.StatusMethodNotAllowed, r.Method+" is not possible here")
}

func clientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "the answer cannot be written as JSON", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"error": message})
}
