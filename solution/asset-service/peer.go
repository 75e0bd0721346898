package main

import (
	"net/http"
	"strings"
)

// peer is the caller's certificate as the proxy in front of this process verified it.
type peer struct {
	URI  string `json:"uri,omitempty"`
	Hash string `json:"hash,omitempty"`
	// By is the identity under which this service's own proxy accepted the connection.
	By string `json:"by,omitempty"`
}

// peerOf reads X-Forwarded-Client-Cert. Each proxy on the way appends an element, so the last is the nearest
// caller. It is to be believed only because the mesh lets nothing but the sidecar reach this process.
func peerOf(header http.Header) *peer {
	values := header.Values("X-Forwarded-Client-Cert")
	if len(values) == 0 {
		return nil
	}
	elements := splitQuoted(strings.Join(values, ","), ',')
	var found peer
	for _, pair := range splitQuoted(elements[len(elements)-1], ';') {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		value = strings.Trim(value, `"`)
		switch strings.ToLower(name) {
		case "uri":
			found.URI = value
		case "hash":
			found.Hash = value
		case "by":
			found.By = value
		}
	}
	if found == (peer{}) {
		return nil
	}
	return &found
}

// splitQuoted splits at separators that are not inside double quotes, where a backslash escapes one character.
func splitQuoted(text string, separator byte) []string {
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quoted:
			i++
		case text[i] == '"':
			quoted = !quoted
		case text[i] == separator && !quoted:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}
