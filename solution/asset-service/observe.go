package main

import (
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// observed writes one structured line per request and turns a panic into an answer. Health checks come every
// few seconds from several sides, so they are not logged.
func (a *application) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			if reason := recover(); reason != nil {
				a.log.Error("panic", "reason", reason, "path", r.URL.Path, "stack", string(debug.Stack()))
				if recorder.bytes == 0 {
					writeError(recorder, http.StatusInternalServerError, "an error of this service; its log says which")
				}
			}
			if strings.HasPrefix(r.URL.Path, "/healthz/") {
				return
			}
			a.log.Info("request",
				"method", r.Method, "path", r.URL.Path, "status", recorder.status, "bytes", recorder.bytes,
				"durationMs", float64(time.Since(start).Microseconds())/1000,
				"clientAddress", clientAddress(r), "peer", peerURI(r.Header),
				"requestId", r.Header.Get("X-Request-Id"), "traceId", traceID(r.Header),
			)
		}()
		next.ServeHTTP(recorder, r)
	})
}

func peerURI(header http.Header) string {
	if found := peerOf(header); found != nil {
		return found.URI
	}
	return ""
}

// traceID is the trace's identifier in W3C's form, else in B3's.
func traceID(header http.Header) string {
	if parts := strings.Split(header.Get("Traceparent"), "-"); len(parts) == 4 {
		return parts[1]
	}
	if single := header.Get("B3"); strings.Contains(single, "-") {
		return strings.Split(single, "-")[0]
	}
	return header.Get("X-B3-Traceid")
}

type statusRecorder struct {
	http.ResponseWriter
	status, bytes int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *statusRecorder) Write(body []byte) (int, error) {
	n, err := r.ResponseWriter.Write(body)
	r.bytes += n
	return n, err
}
