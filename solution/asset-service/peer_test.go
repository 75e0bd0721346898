package main

import (
	"net/http"
	"testing"
)

func TestTheNearestCallerIsReadOfTheCertificateHeader(t *testing.T) {
	for header, expected := range map[string]peer{
		`By=a;Hash=h;URI=spiffe://x/ns/n/sa/s`:                             {URI: "spiffe://x/ns/n/sa/s", Hash: "h", By: "a"},
		`Hash=far;URI=spiffe://far,Hash=near;URI=spiffe://near`:            {URI: "spiffe://near", Hash: "near"},
		`Hash=h;Subject="CN=a;b,\"c\"";URI="spiffe://x"`:                   {URI: "spiffe://x", Hash: "h"},
		`Hash=far;Subject="O=x, URI=spiffe://false",hash=n;uri=spiffe://n`: {URI: "spiffe://n", Hash: "n"},
	} {
		if found := peerOf(http.Header{"X-Forwarded-Client-Cert": {header}}); found == nil || *found != expected {
			t.Errorf("%s: %+v", header, found)
		}
	}
}

func TestWithoutACertificateThereIsNoPeer(t *testing.T) {
	for _, header := range []http.Header{{}, {"X-Forwarded-Client-Cert": {""}}, {"X-Forwarded-Client-Cert": {"nonsense"}}} {
		if found := peerOf(header); found != nil {
			t.Errorf("%v: %+v", header, found)
		}
	}
}

func FuzzPeerNeverPanics(f *testing.F) {
	f.Add(`By=a;Hash="\`)
	f.Fuzz(func(t *testing.T, text string) { peerOf(http.Header{"X-Forwarded-Client-Cert": {text}}) })
}
