// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	kindconfigs "github.com/cniproof/cniproof/kind-configs"
)

func TestCiliumHasTheNamesOfItsManifest(t *testing.T) {
	b := here(t)
	programs, err := b.sources.pin(cilium)
	if err != nil {
		t.Fatal(err)
	}
	topology, err := kindconfigs.Load("cilium")
	if err != nil {
		t.Fatal(err)
	}
	images := regexp.MustCompile(`(?m)^\s*image:\s*"?([^"\s]+)"?\s*$`).FindAllSubmatch(topology.Manifest, -1)
	var observed []string
	for _, match := range images {
		observed = append(observed, string(match[1]))
	}
	slices.Sort(observed)
	if wanted := ciliumRefs(programs.version); !slices.Equal(slices.Compact(observed), wanted) {
		t.Errorf("want the images %v in the manifest, got %v", wanted, observed)
	}
}

func TestCiliumFilesAreThere(t *testing.T) {
	b := here(t)
	programs, source := t.TempDir(), t.TempDir()
	for _, program := range []string{"daemon", "operator", "cilium-dbg", "cilium-cni", "mount", "sysctlfix"} {
		os.WriteFile(filepath.Join(programs, program), []byte(program), 0o755)
	}
	for _, path := range []string{"bpf/bpf_lxc.c", "images/cilium/init-container.sh", "plugins/cilium-cni/install-plugin.sh", "plugins/cilium-cni/cni-uninstall.sh"} {
		os.MkdirAll(filepath.Join(source, filepath.Dir(path)), 0o755)
		os.WriteFile(filepath.Join(source, path), []byte(path), 0o644)
	}
	built := parts{dir: map[string]string{cilium.name: programs}, iptablesWrapper: b.sources.iptablesWrapper()}
	root, err := b.sources.ciliumRoot()
	if err != nil {
		t.Fatal(err)
	}
	files, err := ciliumFiles(built, source, filepath.Join(root.dir, "cilium-agent"))
	if err != nil {
		t.Fatal(err)
	}
	if err := writeLayer(filepath.Join(t.TempDir(), "layer.tar"), files); err != nil {
		t.Error(err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		if seen[file.path] {
			t.Errorf("want /%s once, got it twice", file.path)
		}
		seen[file.path] = true
	}
	for _, path := range []string{"var/lib/cilium/bpf/bpf_lxc.c", "usr/bin/cilium-agent", "usr/sbin/iptables", "opt/cni/bin/cilium-cni"} {
		if !seen[path] {
			t.Errorf("want /%s, got %v", path, seen)
		}
	}
}
