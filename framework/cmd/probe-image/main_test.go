// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"flag"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// TestPublish builds the real image, pushes it to a registry of its own and
// finds it there.
func TestPublish(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the probe")
	}
	t.Setenv("CNIPROOF_HOME", t.TempDir())
	server := httptest.NewServer(registry.New())
	defer server.Close()
	ref := strings.TrimPrefix(server.URL, "http://") + "/cniproof/probe:v1"
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-push", ref}, &out); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(out.String(), "\n"); !strings.HasPrefix(lines[0], "localhost/cniproof/probe:") || lines[2] != "pushed "+ref {
		t.Errorf("output %q", out.String())
	}
	target, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(target)
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.ConfigFile()
	if err != nil || file.Config.User != "65532:65532" {
		t.Errorf("published config %+v, %v", file, err)
	}
}

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, &out); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "-push registry/name:tag") {
		t.Errorf("error %v, help %q", err, out.String())
	}
	if err := run(t.Context(), []string{"stray"}, &out); err == nil {
		t.Error("stray argument: no error")
	}
}
