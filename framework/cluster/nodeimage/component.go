// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/sumdb/dirhash"

	"github.com/cniproof/cniproof/framework/config"
)

// component is a Go module of kind-configs/node-image whose programs go into the
// node image: those of its tool lines, else the module itself.
type component struct {
	name string // its folder
	// module is the required module whose version is the component's; empty for
	// a component whose source is the folder itself.
	module string
	// sets are variables the linker sets; {version}, {major} and {minor} stand for
	// the version of module.
	sets []string
	tags []string
	// cgo is "1" for a component that has C in it; it is linked statically too.
	cgo string
}

// Components that every node image has; Kubernetes is chosen by version.
var (
	pause      = component{name: "pause"}
	crictl     = component{name: "crictl", module: "sigs.k8s.io/cri-tools", sets: []string{"sigs.k8s.io/cri-tools/pkg/version.Version={version}"}}
	etcd       = component{name: "etcd", module: "go.etcd.io/etcd/server/v3"}
	coredns    = component{name: "coredns", module: "github.com/coredns/coredns"}
	containerd = component{
		name:   "containerd",
		module: "github.com/containerd/containerd/v2",
		sets:   []string{"github.com/containerd/containerd/v2/version.Version={version}"},
		// As in kind's Dockerfile: snapshotters that are never selected in a node.
		tags: []string{"no_btrfs", "no_devmapper", "no_zfs"},
	}
	flannel = component{
		name:   "flannel",
		module: "github.com/flannel-io/flannel",
		sets:   []string{"github.com/flannel-io/flannel/pkg/version.Version={version}"},
		// Flannel's udp backend is C on amd64; names are better resolved in Go
		// than by a C library that is linked statically.
		cgo:  "1",
		tags: []string{"netgo", "osusergo"},
	}
	referencePlugins = component{
		name:   "cni-plugins",
		module: "github.com/containernetworking/plugins",
		sets:   []string{"github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion={version}"},
	}
	flannelPlugin = component{
		name:   "flannel-cni-plugin",
		module: "github.com/containernetworking/plugins",
		sets:   []string{"github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion={version}"},
	}
)

// kubernetesPrefix starts the names of the folders that have a Kubernetes.
const kubernetesPrefix = "kubernetes-"

// kubernetes is the component of a minor version, "1.36".
func kubernetes(minor string) component {
	c := component{
		name:   kubernetesPrefix + minor,
		module: "k8s.io/kubernetes",
		// As in Kubernetes' hack/lib/golang.sh.
		tags: []string{"selinux", "notest", "grpcnotrace"},
	}
	// As in Kubernetes' hack/lib/version.sh.
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		c.sets = append(c.sets, pkg+".gitVersion={version}", pkg+".gitMajor={major}", pkg+".gitMinor={minor}",
			pkg+".gitTreeState=clean", pkg+".gitCommit=") // a module has no commit
	}
	return c
}

// pinned is a component as kind-configs/node-image has it now.
type pinned struct {
	component
	dir     string
	version string // of component.module; empty without one
	target  string // what "go build" is told to build
	key     string // of everything the programs are built from
}

// pin reads the component's go.mod and hashes its folder.
func (s sources) pin(c component) (pinned, error) {
	p := pinned{component: c, dir: filepath.Join(s.components, c.name), target: "."}
	path := filepath.Join(p.dir, "go.mod")
	text, err := os.ReadFile(path)
	if err != nil {
		return p, fmt.Errorf("read the pinned versions of the component %s: %w", c.name, err)
	}
	mod, err := modfile.Parse(path, text, nil)
	if err != nil {
		return p, fmt.Errorf("parse the pinned versions of the component %s: %w", c.name, err)
	}
	for _, require := range mod.Require {
		if require.Mod.Path == c.module {
			p.version = require.Mod.Version
		}
	}
	if c.module != "" && p.version == "" {
		return p, fmt.Errorf("find the version of the component %s: %s requires no %s", c.name, path, c.module)
	}
	if len(mod.Tool) > 0 {
		p.target = "tool"
	}
	content, err := dirhash.HashDir(p.dir, "", dirhash.Hash1)
	if err != nil {
		return p, fmt.Errorf("hash the component %s: %w", c.name, err)
	}
	argv, env := p.command("")
	p.key = keyOf(recipe, s.goVersion, content, strings.Join(append(argv, env...), "\n"))
	return p, nil
}

// command is how the programs are built into dir. The folder's go.mod and go.sum
// are taken as they are: -mod=readonly fails where they are not enough.
func (p pinned) command(dir string) (argv, env []string) {
	major, minor, _ := strings.Cut(minor(p.version), ".")
	values := strings.NewReplacer("{version}", p.version, "{major}", major, "{minor}", minor)
	flags := []string{"-s", "-w"}
	if p.cgo != "" {
		flags = append(flags, "-linkmode=external", "-extldflags=-static")
	}
	for _, set := range p.sets {
		flags = append(flags, "-X="+values.Replace(set))
	}
	argv = []string{
		"go", "build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false",
		"-tags=" + strings.Join(p.tags, ","), "-ldflags=" + strings.Join(flags, " "),
		"-o", dir + string(filepath.Separator), p.target,
	}
	env = []string{
		"GOFLAGS=", "GOWORK=off", "GOOS=linux", "GOARCH=" + runtime.GOARCH,
		"CGO_ENABLED=" + cmp.Or(p.cgo, "0"),
	}
	return argv, env
}

// programs returns the directory with the component's programs, compiled when they
// are not there yet.
func (b *builder) programs(ctx context.Context, p pinned) (string, error) {
	dir, err := b.store.artifact(p.name, p.key, func(dir string) error {
		if p.cgo != "" {
			if err := b.need(ctx, tool{program: "gcc", packages: []string{"gcc", "libc6-dev"}}); err != nil {
				return err
			}
		}
		var packages atomic.Int64
		detail := func() string { return fmt.Sprintf(", %d packages compiled", packages.Load()) }
		what := strings.TrimSpace("compiling " + p.name + " " + p.version)
		return b.progress.watched(ctx, what, detail, func(ctx context.Context) error {
			argv, env := p.command(dir)
			_, err := command{argv: argv, dir: p.dir, env: env, progress: &packages}.run(ctx)
			return err
		})
	})
	if err != nil {
		return "", fmt.Errorf("build the component %s: %w", p.name, err)
	}
	return dir, nil
}

// kubernetesVersions returns the minor versions that have a folder, the newest last.
func (s sources) kubernetesVersions() ([]string, error) {
	folders, err := filepath.Glob(filepath.Join(s.components, kubernetesPrefix+"*"))
	if err != nil || len(folders) == 0 {
		return nil, fmt.Errorf("find a folder %s* in %s: want at least one, got none", kubernetesPrefix, s.components)
	}
	var versions []string
	for _, folder := range folders {
		versions = append(versions, strings.TrimPrefix(filepath.Base(folder), kubernetesPrefix))
	}
	slices.SortFunc(versions, compareMinors)
	return versions, nil
}

// choose returns the wanted minor version, or the newest when none is wanted.
func choose(wanted string, have []string) (string, error) {
	if wanted == "" {
		return have[len(have)-1], nil
	}
	if !slices.Contains(have, wanted) {
		return "", &config.Problem{
			What: fmt.Sprintf("no node image of Kubernetes %q can be built", wanted),
			Do:   "want one of " + strings.Join(have, ", ") + ", or add its folder to kind-configs/node-image",
		}
	}
	return wanted, nil
}
