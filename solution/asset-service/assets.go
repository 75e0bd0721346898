package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

const (
	// maxAssets and maxAssetBody bound this pod's memory whatever is posted.
	maxAssets    = 1000
	maxAssetBody = 4 << 10
	maxField     = 64
)

var errStoreFull = errors.New("the list of assets is full")

// asset is one thing that is managed.
type asset struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Kind string `json:"kind"`
	Site string `json:"site"`
}

// assetStore keeps this pod's assets in memory, in the order in which they came.
type assetStore struct {
	mutex  sync.RWMutex
	assets []asset
}

func newAssetStore() *assetStore {
	return &assetStore{assets: []asset{
		{"rack-0001", "Rack A1", "rack", "hall-north"},
		{"pdu-0001", "Power distribution unit A1", "pdu", "hall-north"},
		{"chiller-0001", "Chiller 1", "chiller", "roof"},
	}}
}

func (s *assetStore) count() int {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	return len(s.assets)
}

func (s *assetStore) list() []asset {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	return slices.Clone(s.assets)
}

func (s *assetStore) find(id string) (asset, bool) {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	index := slices.IndexFunc(s.assets, func(a asset) bool { return a.ID == id })
	if index < 0 {
		return asset{}, false
	}
	return s.assets[index], true
}

func (s *assetStore) add(added asset) (asset, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(s.assets) >= maxAssets {
		return asset{}, errStoreFull
	}
	// Random, because the pods of all regions number their assets on their own.
	var number [8]byte
	_, _ = rand.Read(number[:])
	added.ID = hex.EncodeToString(number[:])
	s.assets = append(s.assets, added)
	return added, nil
}

// problem says what is wrong with a posted asset, or nothing.
func (a asset) problem() string {
	if a.ID != "" {
		return "id: is given by the service, leave it out"
	}
	for _, field := range [...]struct{ name, value string }{{"name", a.Name}, {"kind", a.Kind}, {"site", a.Site}} {
		length := utf8.RuneCountInString(field.value)
		if length == 0 || length > maxField || strings.ContainsFunc(field.value, unicode.IsControl) {
			return field.name + ": must be 1 to 64 characters, none of them a control character"
		}
	}
	return ""
}

func (a *application) listAssets(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"pod": a.config.Pod, "region": a.config.Region, "assets": a.assets.list()})
}

func (a *application) showAsset(w http.ResponseWriter, r *http.Request) {
	found, ok := a.assets.find(r.PathValue("id"))
	if !ok {
		writeError(w, http.StatusNotFound, "this pod has no asset "+r.PathValue("id"))
		return
	}
	writeJSON(w, http.StatusOK, found)
}

func (a *application) addAsset(w http.ResponseWriter, r *http.Request) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAssetBody))
	decoder.DisallowUnknownFields()
	var posted asset
	if err := decoder.Decode(&posted); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			writeError(w, http.StatusRequestEntityTooLarge, "an asset may be 4096 bytes at most")
			return
		}
		writeError(w, http.StatusBadRequest, "the body is not an asset: "+err.Error())
		return
	}
	if problem := posted.problem(); problem != "" {
		writeError(w, http.StatusUnprocessableEntity, problem)
		return
	}
	added, err := a.assets.add(posted)
	if err != nil {
		writeError(w, http.StatusInsufficientStorage, err.Error())
		return
	}
	w.Header().Set("Location", a.config.Prefix+"/assets/"+added.ID)
	writeJSON(w, http.StatusCreated, added)
}
