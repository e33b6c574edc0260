// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cniproof/cniproof/framework/config"
)

func TestARegistryAnswers(t *testing.T) {
	tests := []struct {
		name   string
		status int
		want   string // in the error; empty wants none
	}{
		{"open", http.StatusOK, ""},
		{"wants a token", http.StatusUnauthorized, ""},
		{"proxy that forbids it", http.StatusForbidden, "403"},
		{"no registry", http.StatusNotFound, "404"},
		{"gateway without a registry", http.StatusBadGateway, "502"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var asked string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.URL.Path
				w.WriteHeader(test.status)
			}))
			defer server.Close()
			err := answers(t.Context(), server.URL)
			if asked != "/v2/" {
				t.Errorf("want a request for /v2/, got one for %q", asked)
			}
			if test.want == "" && err != nil {
				t.Errorf("want no error, got %v", err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("want an error with %q, got %v", test.want, err)
			}
		})
	}
}

func TestARegistryThatIsSilentIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	limit := config.DefaultTimeouts().RegistryAnswer
	start := time.Now()
	err := answers(t.Context(), server.URL)
	if err == nil || !strings.Contains(err.Error(), limit.String()) {
		t.Errorf("want an error that names the limit %v, got %v", limit, err)
	}
	if took := time.Since(start); took > limit+2*time.Second {
		t.Errorf("want an answer within about %v, got it after %v", limit, took)
	}
}

func TestARegistryThatIsNotThere(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	if err := answers(t.Context(), server.URL); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("want a refused connection, got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := answers(ctx, server.URL); !errors.Is(err, context.Canceled) {
		t.Errorf("want the end of ctx, got %v", err)
	}
}

func TestTagVersion(t *testing.T) {
	for ref, want := range map[string]string{
		"kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5": "v1.37.0",
		"cniproof/node:v1.36.3-6599e701f519":      "v1.36.3-6599e701f519",
		"registry.example:5000/kind/node:v1.35.4": "v1.35.4",
		"registry.example:5000/kind/node":         "",
		"kindest/node:latest":                     "",
		"kindest/node@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5": "",
	} {
		if got := tagVersion(ref); got != want {
			t.Errorf("version of %s: want %q, got %q", ref, want, got)
		}
	}
}

func TestMinor(t *testing.T) {
	for version, want := range map[string]string{"v1.37.0": "1.37", "1.36": "1.36", "v1.36.0-rc.1": "1.36", "": ""} {
		if got := minor(version); got != want {
			t.Errorf("minor of %q: want %q, got %q", version, want, got)
		}
	}
}

// What docker 20.10 and 28 print for labels that are there and that are not.
func TestParseLabels(t *testing.T) {
	tests := []struct {
		text       string
		kubernetes string
		flannel    bool
	}{
		{"v1.36.3 v0.28.4", "v1.36.3", true},
		{"<no value> <no value>", "", false},
		{" ", "", false},
		{"v1.36.3 ", "v1.36.3", false},
	}
	for _, test := range tests {
		kubernetes, flannel := parseLabels(test.text)
		if kubernetes != test.kubernetes || flannel != test.flannel {
			t.Errorf("labels %q: want %q and %v, got %q and %v", test.text, test.kubernetes, test.flannel, kubernetes, flannel)
		}
	}
}

func TestKindestImagesAreOfTheRequiredKind(t *testing.T) {
	b := here(t)
	if b.sources.kind != kindRelease {
		t.Errorf("this module requires kind %s: want the images of its release notes, got those of %s", b.sources.kind, kindRelease)
	}
	for _, ref := range kindestImages {
		if !strings.HasPrefix(ref, "kindest/node:v1.") || !strings.Contains(ref, "@sha256:") {
			t.Errorf("want an image pinned by digest, got %s", ref)
		}
	}
}

func TestKindest(t *testing.T) {
	for wanted, version := range map[string]string{"": tagVersion(kindestImages[0]), "1.36": "v1.36.4", "1.35": "v1.35.8", "1.3": ""} {
		image, ok := kindest(wanted)
		if image.Kubernetes != version || ok != (version != "") {
			t.Errorf("kindest/node of %q: want %q, got %+v and %v", wanted, version, image, ok)
		}
		if ok && (image.Source != SourceKindest || image.HasFlannel) {
			t.Errorf("want kindest/node, which has no flannel, got %+v", image)
		}
	}
	if image, ok := here(t).published(t.Context(), "1.2"); ok {
		t.Errorf("want no image of Kubernetes 1.2, got %+v", image)
	}
}
