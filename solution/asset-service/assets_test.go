package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func manager(t *testing.T) *application {
	return newTestApplication(t, "SERVICE_NAME", "asset-mgr-ms-svc")
}

func TestAPostedAssetIsListedAndFound(t *testing.T) {
	app := manager(t)
	status, added, header := call(t, app, "POST", "/assetmgrms/assets", `{"name":"Inverter 7","kind":"inverter","site":"roof"}`, nil)
	if status != 201 || header.Get("Location") != fmt.Sprintf("/assetmgrms/assets/%s", added["id"]) {
		t.Fatalf("%d %v %v", status, added, header)
	}
	if status, found, _ := call(t, app, "GET", header.Get("Location"), "", nil); status != 200 || found["name"] != "Inverter 7" {
		t.Errorf("%d %v", status, found)
	}
	_, list, _ := call(t, app, "GET", "/assetmgrms/assets", "", nil)
	if assets := list["assets"].([]any); len(assets) != 4 {
		t.Errorf("%v", list)
	}
	if status, _, _ := call(t, app, "GET", "/assetmgrms/assets/none", "", nil); status != 404 {
		t.Errorf("an asset that is not there: %d", status)
	}
}

func TestBadAssetsAreRefusedWithTheReason(t *testing.T) {
	app := manager(t)
	for body, expected := range map[string]int{
		`{"name":"","kind":"a","site":"b"}`:                                        422,
		`{"name":"a","kind":"b","site":"c\nd"}`:                                    422,
		`{"id":"mine","name":"a","kind":"b","site":"c"}`:                           422,
		`{"name":"` + strings.Repeat("x", maxField+1) + `","kind":"b","site":"c"}`: 422,
		`{"name":"a","kind":"b","site":"c","owner":"d"}`:                           400,
		`[]`: 400,
		``:   400,
		`{"name":"` + strings.Repeat("x", maxAssetBody) + `"}`: 413,
	} {
		status, answer, _ := call(t, app, "POST", "/assetmgrms/assets", body, nil)
		if status != expected || answer["error"] == "" {
			t.Errorf("%.60s: %d %v", body, status, answer)
		}
	}
	if app.assets.count() != 3 {
		t.Errorf("%d assets", app.assets.count())
	}
}

func TestTheListIsBoundedUnderConcurrentWriters(t *testing.T) {
	store := newAssetStore()
	var group sync.WaitGroup
	for range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			for range maxAssets / 4 {
				_, _ = store.add(asset{Name: "a", Kind: "b", Site: "c"})
			}
		}()
	}
	group.Wait()
	if _, err := store.add(asset{Name: "a"}); err == nil || store.count() != maxAssets {
		t.Errorf("%d assets, %v", store.count(), err)
	}
}

func TestOnlyTheManagerHasAssets(t *testing.T) {
	app := newTestApplication(t, "SERVICE_NAME", "asset-consumer-svc")
	if status, _, _ := call(t, app, "POST", "/assetconsumer/assets", `{}`, nil); status != 405 {
		t.Errorf("%d", status)
	}
}
