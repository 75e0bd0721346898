package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestATerminatedPodFailsReadinessThenFinishesWhatIsUnderWay(t *testing.T) {
	release := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = io.WriteString(w, `{"service":"slow"}`)
	}))
	defer upstream.Close()
	config, err := loadConfig(environment("SERVICE_NAME", "asset-consumer-svc", "UPSTREAM_URL", upstream.URL, "DRAIN_DELAY", "300ms", "SHUTDOWN_TIMEOUT", "5s"))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + listener.Addr().String()
	ctx, terminate := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, config, listener, slog.New(slog.NewJSONHandler(io.Discard, nil))) }()

	status := func(path string) int {
		response, err := http.Get(base + path)
		if err != nil {
			return 0
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode
	}
	await := func(what string, true func() bool) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Second); !true(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s did not come", what)
			}
		}
	}
	await("readiness", func() bool { return status("/healthz/ready") == 200 })
	underWay := make(chan int, 1)
	go func() { underWay <- status("/assetconsumer") }()
	time.Sleep(50 * time.Millisecond)
	terminate()
	await("unreadiness", func() bool { return status("/healthz/ready") == 503 })
	await("the end of accepting", func() bool { return status("/healthz/live") == 0 })
	close(release)
	if got := <-underWay; got != 200 {
		t.Errorf("the request under way got %d", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
