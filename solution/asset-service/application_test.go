package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const spiffe = "spiffe://lab.test/ns/greencompute/sa/asset-consumer-svc"

func TestAnAnswerSaysWhoGaveItAndWhoAsked(t *testing.T) {
	app := newTestApplication(t, "SERVICE_NAME", "asset-mgr-ms-svc", "POD_NAME", "mgr-1", "NODE_NAME", "eu-worker-1",
		"CLUSTER_NAME", "eu", "REGION_NAME", "europe")
	status, body, header := call(t, app, "GET", "/assetmgrms", "", http.Header{
		"X-Forwarded-Client-Cert": {`By=spiffe://lab.test/ns/greencompute/sa/mgr;Hash=abc;Subject="O=a,b";URI=` + spiffe},
		"X-Forwarded-For":         {"203.0.113.7"},
	})
	if status != 200 || header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v", status, header)
	}
	for name, expected := range map[string]any{
		"service": "asset-mgr-ms-svc", "pod": "mgr-1", "node": "eu-worker-1", "cluster": "eu", "region": "europe",
		"path": "/assetmgrms", "clientAddress": "192.0.2.1",
	} {
		if body[name] != expected {
			t.Errorf("%s: %v instead of %v", name, body[name], expected)
		}
	}
	if found := body["peer"].(map[string]any); found["uri"] != spiffe || found["hash"] != "abc" {
		t.Errorf("peer: %v", found)
	}
	if body["upstream"] != nil || body["assets"].(map[string]any)["count"] != 3.0 {
		t.Errorf("%v", body)
	}
}

func TestTheUpstreamsAnswerIsPartOfTheAnswerAndTheTraceGoesOn(t *testing.T) {
	var received http.Header
	manager := newTestApplication(t, "SERVICE_NAME", "asset-mgr-ms-svc", "REGION_NAME", "us").handler()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		received = r.Header
		manager.ServeHTTP(w, r)
	}))
	defer upstream.Close()
	app := newTestApplication(t, "SERVICE_NAME", "asset-consumer-svc", "REGION_NAME", "eu", "UPSTREAM_URL", upstream.URL+"/assetmgrms")
	status, body, _ := call(t, app, "GET", "/assetconsumer/anything", "", http.Header{
		"Traceparent":   {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		"X-B3-Traceid":  {"463ac35c9f6413ad"},
		"X-Request-Id":  {"r-1"},
		"Authorization": {"Bearer secret"},
	})
	if status != 200 || body["region"] != "eu" || body["path"] != "/assetconsumer/anything" {
		t.Fatalf("%d %v", status, body)
	}
	if answered := body["upstream"].(map[string]any); answered["region"] != "us" || answered["service"] != "asset-mgr-ms-svc" {
		t.Errorf("upstream: %v", answered)
	}
	if received.Get("Traceparent") == "" || received.Get("X-B3-Traceid") != "463ac35c9f6413ad" || received.Get("X-Request-Id") != "r-1" {
		t.Errorf("trace headers are lost: %v", received)
	}
	if received.Get("Authorization") != "" {
		t.Error("a credential was handed on")
	}
}

func TestAnUpstreamThatFailsMakesABadGatewayThatSaysWhy(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"503":      func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no healthy upstream", 503) },
		"not JSON": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"bytes":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat(" ", maxUpstreamBody+1)) },
		"302":      func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"Timeout": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(2 * time.Second):
			}
		},
	}
	for expected, handle := range answers {
		upstream := httptest.NewServer(handle)
		app := newTestApplication(t, "SERVICE_NAME", "asset-consumer-svc", "UPSTREAM_URL", upstream.URL, "UPSTREAM_TIMEOUT", "200ms")
		status, body, _ := call(t, app, "GET", "/assetconsumer", "", nil)
		failure, _ := body["upstream"].(map[string]any)["error"].(string)
		if status != http.StatusBadGateway || body["service"] != "asset-consumer-svc" || !strings.Contains(strings.ToLower(failure), strings.ToLower(expected)) {
			t.Errorf("%s: %d %v", expected, status, body)
		}
		upstream.Close()
	}
}

func TestReadinessFailsWhileDrainingAndLivenessDoesNot(t *testing.T) {
	app := newTestApplication(t, "SERVICE_NAME", "asset-dashboard-bff-svc")
	if status, _, _ := call(t, app, "GET", "/healthz/ready", "", nil); status != 200 {
		t.Fatalf("ready: %d", status)
	}
	app.draining.Store(true)
	if status, _, _ := call(t, app, "GET", "/healthz/ready", "", nil); status != 503 {
		t.Errorf("ready while draining: %d", status)
	}
	if status, _, _ := call(t, app, "GET", "/healthz/live", "", nil); status != 200 {
		t.Errorf("live while draining: %d", status)
	}
	if status, _, _ := call(t, app, "GET", "/assetdashboard", "", nil); status != 200 {
		t.Errorf("requests while draining: %d", status)
	}
}

func TestOtherPathsAndMethodsAreRefused(t *testing.T) {
	app := newTestApplication(t, "SERVICE_NAME", "asset-consumer-svc")
	for _, probe := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/", 404}, {"GET", "/assetmgrms", 404}, {"GET", "/assetconsumers", 404},
		{"POST", "/assetconsumer", 405}, {"DELETE", "/assetconsumer/x", 405},
	} {
		if status, _, _ := call(t, app, probe.method, probe.path, "", nil); status != probe.status {
			t.Errorf("%s %s: %d instead of %d", probe.method, probe.path, status, probe.status)
		}
	}
}

func TestAPanicIsAnAnswerAndNotTheEndOfTheProcess(t *testing.T) {
	app := newTestApplication(t, "SERVICE_NAME", "asset-consumer-svc")
	recorder := httptest.NewRecorder()
	app.observed(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("defect") })).
		ServeHTTP(recorder, httptest.NewRequest("GET", "/assetconsumer", nil))
	if recorder.Code != http.StatusInternalServerError || strings.Contains(recorder.Body.String(), "defect") {
		t.Errorf("%d %s", recorder.Code, recorder.Body)
	}
}
