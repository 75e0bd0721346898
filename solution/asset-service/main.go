// Asset-service is the reference solution's small service. One program runs as each of asset-consumer-svc,
// asset-dashboard-bff-svc and asset-mgr-ms-svc; the environment says which. Every answer says which service,
// pod, node, cluster and region gave it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	config, err := loadConfig(os.LookupEnv)
	if err != nil {
		log.Error("the environment is not usable", "error", err.Error())
		os.Exit(2)
	}
	if config.Pod == "" {
		// A pod's host name is its name; a host name that cannot be read leaves the field empty.
		config.Pod, _ = os.Hostname()
	}
	log = log.With("service", config.Service, "pod", config.Pod, "cluster", config.Cluster, "region", config.Region)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	listener, err := net.Listen("tcp", config.ListenAddress)
	if err != nil {
		log.Error("cannot listen", "address", config.ListenAddress, "error", err.Error())
		os.Exit(1)
	}
	if err := run(ctx, config, listener, log); err != nil {
		log.Error("stopped", "error", err.Error())
		os.Exit(1)
	}
}

// run serves on the listener until ctx ends, then drains: readiness fails at once, while requests are still
// served for the drain delay, so that whoever balances over this pod has time to leave it out; then no new
// connection is accepted and the requests under way get the shutdown timeout to end.
func run(ctx context.Context, config config, listener net.Listener, log *slog.Logger) error {
	app := newApplication(config, log)
	server := &http.Server{
		Handler:           app.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		// Longer than an answer that waits for its upstream.
		WriteTimeout:   config.UpstreamTimeout + 10*time.Second,
		IdleTimeout:    60 * time.Second,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Info("serving", "address", listener.Addr().String(), "prefix", config.Prefix, "upstream", config.upstreamName())

	select {
	case err := <-failed:
		return fmt.Errorf("serving on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	app.draining.Store(true)
	log.Info("draining", "delay", config.DrainDelay.String())
	server.SetKeepAlivesEnabled(false)
	time.Sleep(config.DrainDelay)
	deadline, cancel := context.WithTimeout(context.Background(), config.ShutdownTimeout)
	defer cancel()
	if err := server.Shutdown(deadline); err != nil {
		return fmt.Errorf("requests were still under way after %s: %w", config.ShutdownTimeout, err)
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	log.Info("stopped")
	return nil
}
