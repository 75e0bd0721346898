package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// environment is a lookup over fixed values.
func environment(pairs ...string) func(string) (string, bool) {
	values := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	return func(name string) (string, bool) { value, ok := values[name]; return value, ok }
}

func newTestApplication(t *testing.T, pairs ...string) *application {
	t.Helper()
	config, err := loadConfig(environment(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return newApplication(config, slog.New(slog.NewJSONHandler(io.Discard, nil)))
}

// call sends one request to the application and decodes the JSON answer.
func call(t *testing.T, app *application, method, path, body string, header http.Header) (int, map[string]any, http.Header) {
	t.Helper()
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	for name, values := range header {
		request.Header[name] = values
	}
	recorder := httptest.NewRecorder()
	app.handler().ServeHTTP(recorder, request)
	var decoded map[string]any
	if err := json.Unmarshal(recorder.Body.Bytes(), &decoded); err != nil {
		t.Fatalf("%s %s: not JSON: %q", method, path, recorder.Body.String())
	}
	return recorder.Code, decoded, recorder.Header()
}
