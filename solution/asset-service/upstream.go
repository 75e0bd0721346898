package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxUpstreamBody bounds what is read of an upstream's answer.
const maxUpstreamBody = 1 << 20

// traceHeaders are handed on, so that the spans of one request belong to one trace: W3C's, B3's and Envoy's.
var traceHeaders = []string{
	"Traceparent", "Tracestate", "Baggage",
	"B3", "X-B3-Traceid", "X-B3-Spanid", "X-B3-Parentspanid", "X-B3-Sampled", "X-B3-Flags",
	"X-Request-Id", "X-Ot-Span-Context",
}

// upstreamClient asks the one service that this one depends on. It does not retry: the mesh does.
type upstreamClient struct {
	url    *url.URL
	client *http.Client
}

func newUpstreamClient(target *url.URL, timeout time.Duration) *upstreamClient {
	return &upstreamClient{
		url: target,
		client: &http.Client{
			Timeout: timeout,
			Transport: &http.Transport{
				DialContext:           (&net.Dialer{Timeout: 2 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
				TLSHandshakeTimeout:   2 * time.Second,
				ResponseHeaderTimeout: timeout,
				MaxConnsPerHost:       64,
				MaxIdleConnsPerHost:   16,
				IdleConnTimeout:       30 * time.Second,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// get returns the upstream's JSON answer. Any status but 200 is an error.
func (u *upstreamClient) get(ctx context.Context, incoming http.Header) (json.RawMessage, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.url.String(), nil)
	if err != nil {
		return nil, err
	}
	for _, name := range traceHeaders {
		if values := incoming.Values(name); len(values) > 0 {
			request.Header[name] = values
		}
	}
	response, err := u.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxUpstreamBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the answer: %w", err)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("answered %s: %.200q", response.Status, body)
	case len(body) > maxUpstreamBody:
		return nil, fmt.Errorf("answered more than %d bytes", maxUpstreamBody)
	case !json.Valid(body):
		return nil, fmt.Errorf("answered what is not JSON: %.200q", body)
	}
	return body, nil
}
