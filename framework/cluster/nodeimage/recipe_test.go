// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"archive/tar"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/semver"
)

// here is a builder of this clone's own recipe with an empty store.
func here(t *testing.T) *builder {
	t.Helper()
	t.Setenv("CNIPROOF_HOME", t.TempDir())
	b, err := newBuilder(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEveryPinnedKubernetesHasAPlan(t *testing.T) {
	b := here(t)
	versions, err := b.sources.kubernetesVersions()
	if err != nil {
		t.Fatal(err)
	}
	refs := map[string]bool{}
	for _, version := range versions {
		p, err := b.plan(version)
		if err != nil {
			t.Fatal(err)
		}
		if minor(p.kubernetes.version) != version || p.image.Kubernetes != p.kubernetes.version {
			t.Errorf("folder %s: want a version of it, got %s in image %+v", version, p.kubernetes.version, p.image)
		}
		if !strings.HasPrefix(p.image.Ref, repository+":"+p.kubernetes.version+"-") {
			t.Errorf("want the version in the image's name, got %s", p.image.Ref)
		}
		for _, c := range append(p.components, p.kubernetes) {
			if c.module != "" && (c.target != "tool" || !semver.IsValid(c.version)) {
				t.Errorf("component %s: want tool lines and a version, got target %q and version %q", c.name, c.target, c.version)
			}
		}
		refs[p.image.Ref] = true
	}
	if len(refs) != len(versions) {
		t.Errorf("want an image per version of %v, got %v", versions, refs)
	}
	newest, err := b.plan("")
	if err != nil || minor(newest.image.Kubernetes) != versions[len(versions)-1] {
		t.Errorf("want the newest of %v when none is wanted, got %s and %v", versions, newest.image.Kubernetes, err)
	}
	if _, err := b.plan("1.2"); err == nil || !strings.Contains(err.Error(), strings.Join(versions, ", ")) {
		t.Errorf("want an error that names %v, got %v", versions, err)
	}
}

func TestTheKeyIsOfTheContentAndNotOfThePlace(t *testing.T) {
	b := here(t)
	before, err := b.plan("")
	if err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.CopyFS(moved, os.DirFS(b.sources.components)); err != nil {
		t.Fatal(err)
	}
	b.sources.components = moved
	after, err := b.plan("")
	if err != nil {
		t.Fatal(err)
	}
	if after.image.Ref != before.image.Ref {
		t.Errorf("want %s in another directory too, got %s", before.image.Ref, after.image.Ref)
	}
	for _, file := range []string{
		"coredns/go.sum", "pause/main.go", "debian/packages", "proxy/iptables-wrapper",
		"files/kind/manifests/default-storage.yaml", before.kubernetes.name + "/go.mod",
	} {
		path := filepath.Join(moved, file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		os.WriteFile(path, append(text, '\n'), 0o644)
		changed, err := b.plan("")
		if err != nil {
			t.Fatal(err)
		}
		if changed.image.Ref == after.image.Ref {
			t.Errorf("%s changed: want another image, got %s again", file, after.image.Ref)
		}
		os.WriteFile(path, text, 0o644)
	}
	b.sources.goVersion = "go1.99"
	if changed, err := b.plan(""); err != nil || changed.image.Ref == before.image.Ref {
		t.Errorf("Go changed: want another image, got %s and %v", changed.image.Ref, err)
	}
}

func TestKubernetesIsCompiledWithItsVersion(t *testing.T) {
	p := pinned{component: kubernetes("1.36"), version: "v1.36.3", target: "tool"}
	argv, env := p.command("/out")
	line := strings.Join(append(argv, env...), " ")
	for _, want := range []string{
		"-X=k8s.io/component-base/version.gitVersion=v1.36.3", "version.gitMajor=1 ", "version.gitMinor=36 ",
		"gitTreeState=clean", "-mod=readonly", "-o /out/ tool", "CGO_ENABLED=0", "GOFLAGS= ",
	} {
		if !strings.Contains(line, want) {
			t.Errorf("want %q in the command, got %s", want, line)
		}
	}
}

func TestNewerMinorsComeLast(t *testing.T) {
	versions := []string{"1.36", "1.9", "1.35"}
	slices.SortFunc(versions, compareMinors)
	if want := []string{"1.9", "1.35", "1.36"}; !slices.Equal(versions, want) {
		t.Errorf("want %v, got %v", want, versions)
	}
}

func TestParsePackages(t *testing.T) {
	got := parsePackages("# a comment\n\nsystemd dbus # why\n runc\n#iptables\n")
	if want := []string{"systemd", "dbus", "runc"}; !slices.Equal(got, want) {
		t.Errorf("want %v, got %v", want, got)
	}
}

// What kubeadm v1.36.3 prints.
const kubeadmList = `registry.k8s.io/kube-apiserver:v1.36.3
registry.k8s.io/kube-controller-manager:v1.36.3
registry.k8s.io/kube-scheduler:v1.36.3
registry.k8s.io/kube-proxy:v1.36.3
registry.k8s.io/coredns/coredns:v1.14.2
registry.k8s.io/pause:3.10.2
registry.k8s.io/etcd:3.6.8-0
`

func TestPodImagesHaveTheNamesKubeadmWants(t *testing.T) {
	b := here(t)
	sandbox, err := sandboxImage(b.sources.kindFiles)
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), rootTar)
	if err := writeLayer(root, nil); err != nil {
		t.Fatal(err)
	}
	built := parts{proxyRoot: root, version: map[string]string{"flannel": "v0.28.4"}}
	images, err := podImages(built, parseImages(kubeadmList), sandbox)
	if err != nil {
		t.Fatal(err)
	}
	var refs []string
	for _, image := range images {
		refs = append(refs, image.refs...)
	}
	for _, want := range append(strings.Fields(kubeadmList), sandbox, "ghcr.io/flannel-io/flannel:v0.28.4") {
		if !slices.Contains(refs, want) {
			t.Errorf("want an image %s, got %v", want, refs)
		}
	}
	if _, err := podImages(built, parseImages("registry.k8s.io/pause:3.10.2"), sandbox); err == nil {
		t.Error("want an error where kubeadm names no kube-apiserver, got none")
	}
}

func TestNodeFiles(t *testing.T) {
	b := here(t)
	cni := t.TempDir()
	os.WriteFile(filepath.Join(cni, "bridge"), nil, 0o644)
	entries, err := nodeFiles(parts{dir: map[string]string{"cni": cni}, version: map[string]string{"kubernetes": "v1.36.3"}}, b.sources)
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]entry{}
	for _, e := range entries {
		byPath[e.path] = e
	}
	for path, mode := range map[string]os.FileMode{
		"usr/local/bin/entrypoint":            0o755,
		"kind/bin/mount-product-files.sh":     0o755,
		"etc/containerd/config.toml":          0o644,
		"etc/systemd/system/kubelet.service":  0o644,
		"kind/manifests/default-storage.yaml": 0o644,
		"opt/cni/bin/bridge":                  0o755,
		"usr/bin/kubelet":                     0o755,
	} {
		if byPath[path].mode != mode {
			t.Errorf("/%s: want mode %v, got %v", path, mode, byPath[path].mode)
		}
	}
	for _, e := range entries {
		if _, ok := byPath[strings.TrimPrefix(e.link, "/")]; e.link != "" && !ok {
			t.Errorf("/%s: want its target /%s in the image, got none", e.path, e.link)
		}
	}
	if got := byPath["kind/version"].text; got != "v1.36.3" {
		t.Errorf("want Kubernetes' version for kind, got %q", got)
	}
}

func TestWriteLayer(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	os.WriteFile(program, []byte("ELF"), 0o600)
	path := filepath.Join(dir, "layer.tar")
	err := writeLayer(path, []entry{
		{path: "usr/bin/program", mode: 0o755, file: program},
		{path: "etc/text", mode: 0o644, text: "text"},
		{path: "etc/dir", mode: 0o755, dir: true},
		{path: "sbin/link", link: "/usr/bin/program"},
	})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var got []string
	for r := tar.NewReader(file); ; {
		header, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, _ := io.ReadAll(r)
		mode := header.FileInfo().Mode().String()
		got = append(got, strings.Join([]string{mode, header.Name, header.Linkname, string(content)}, "|"))
	}
	want := []string{
		"-rwxr-xr-x|usr/bin/program||ELF", "-rw-r--r--|etc/text||text",
		"drwxr-xr-x|etc/dir||", "L---------|sbin/link|/usr/bin/program|",
	}
	if !slices.Equal(got, want) {
		t.Errorf("want %q, got %q", want, got)
	}
}

// The parts that matter of what "ctr oci spec" of containerd 2.3.7 prints.
const containerdSpec = `{"ociVersion": "1.3.0", "process": {"cwd": "/", "noNewPrivileges": true,
	"rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]}, "linux": {"cgroupsPath": "/default"}}`

func TestContainersGetKindsHookAndNoLimits(t *testing.T) {
	text, err := withProductFiles([]byte(containerdSpec))
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		OCIVersion string
		Process    map[string]any
		Hooks      struct{ CreateContainer []struct{ Path string } }
		Linux      map[string]any
	}
	if err := json.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	if _, limited := spec.Process["rlimits"]; limited || spec.Process["cwd"] != "/" {
		t.Errorf("want the process without rlimits, got %v", spec.Process)
	}
	if len(spec.Hooks.CreateContainer) != 1 || spec.Hooks.CreateContainer[0].Path != "/kind/bin/mount-product-files.sh" {
		t.Errorf("want kind's hook, got %+v", spec.Hooks)
	}
	if spec.OCIVersion != "1.3.0" || spec.Linux["cgroupsPath"] != "/default" {
		t.Errorf("want all else kept, got %s", text)
	}
}

func TestModulesThatAreNotDownloadedAreNamed(t *testing.T) {
	_, err := parseModules(`{"Path": "github.com/cniproof/cniproof", "Dir": "/src"}
{"Path": "sigs.k8s.io/kind", "Version": "v0.33.0"}`)
	if err == nil || !strings.Contains(err.Error(), "go mod download sigs.k8s.io/kind") {
		t.Errorf("want to be told to download kind, got %v", err)
	}
}
