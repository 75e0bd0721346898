package main

import (
	"strings"
	"testing"
	"time"
)

func TestEachServiceHasItsOwnPath(t *testing.T) {
	for service, prefix := range prefixes {
		config, err := loadConfig(environment("SERVICE_NAME", service))
		if err != nil || config.Prefix != prefix || config.Upstream != nil || config.UpstreamTimeout != 3*time.Second {
			t.Errorf("%s: %+v, %v", service, config, err)
		}
	}
}

func TestAPathOfTheEnvironmentWins(t *testing.T) {
	config, err := loadConfig(environment("SERVICE_NAME", "audit-svc", "PATH_PREFIX", "/audit/"))
	if err != nil || config.Prefix != "/audit" {
		t.Errorf("%+v, %v", config, err)
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	_, err := loadConfig(environment("PATH_PREFIX", "/", "UPSTREAM_URL", "asset-mgr", "UPSTREAM_TIMEOUT", "soon", "DRAIN_DELAY", "-1s"))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, expected := range []string{"SERVICE_NAME", "PATH_PREFIX", "UPSTREAM_URL", "UPSTREAM_TIMEOUT", "DRAIN_DELAY"} {
		if !strings.Contains(err.Error(), expected) {
			t.Errorf("%s is not mentioned in: %v", expected, err)
		}
	}
}

func TestAServiceWithoutAPathIsRefused(t *testing.T) {
	if _, err := loadConfig(environment("SERVICE_NAME", "audit-svc")); err == nil || !strings.Contains(err.Error(), "PATH_PREFIX") {
		t.Errorf("got %v", err)
	}
}
