// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/sync/errgroup"

	"github.com/cniproof/cniproof/framework/config"
)

// recipe is part of every key: raise it when this package makes something else of
// the same inputs.
const recipe = "1"

// repository is the name of the images built here.
const repository = "cniproof/node"

type builder struct {
	sources  sources
	store    store
	progress *progress
}

func newBuilder(ctx context.Context, log io.Writer) (*builder, error) {
	home, err := config.Home()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(home, "node-image")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create the directory of node image artifacts: %w", err)
	}
	found, err := findSources(ctx)
	if err != nil {
		return nil, err
	}
	return &builder{sources: found, store: store{dir}, progress: newProgress(log)}, nil
}

// plan is all that goes into one node image; its image is named by the key of it.
type plan struct {
	image      Image
	nodeRoot   debian
	proxyRoot  debian
	kubernetes pinned
	components []pinned // the others, the quick ones first: what is wrong shows early
}

// plan pins the inputs for a minor version of Kubernetes; empty is the newest.
func (b *builder) plan(wanted string) (plan, error) {
	have, err := b.sources.kubernetesVersions()
	if err != nil {
		return plan{}, err
	}
	chosen, err := choose(wanted, have)
	if err != nil {
		return plan{}, err
	}
	var p plan
	if p.nodeRoot, err = b.sources.nodeRoot(); err != nil {
		return plan{}, err
	}
	if p.proxyRoot, err = b.sources.proxyRoot(); err != nil {
		return plan{}, err
	}
	if p.kubernetes, err = b.sources.pin(kubernetes(chosen)); err != nil {
		return plan{}, err
	}
	keys := []string{recipe, importScript, b.sources.kind, p.nodeRoot.key, p.proxyRoot.key, p.kubernetes.key}
	for _, c := range []component{pause, referencePlugins, flannelPlugin, etcd, crictl, containerd, flannel, coredns} {
		pinned, err := b.sources.pin(c)
		if err != nil {
			return plan{}, err
		}
		p.components = append(p.components, pinned)
		keys = append(keys, pinned.key)
	}
	files, err := dirhash.HashDir(b.sources.ownFiles(), "", dirhash.Hash1)
	if err != nil {
		return plan{}, fmt.Errorf("hash the files of the node image: %w", err)
	}
	keys = append(keys, files)
	p.image = Image{
		Ref:        repository + ":" + p.kubernetes.version + "-" + keyOf(keys...),
		Source:     SourceBuilt,
		Kubernetes: p.kubernetes.version,
		HasFlannel: true,
	}
	return p, nil
}

// parts are what an image is put together from.
type parts struct {
	nodeRoot        string            // tar file
	proxyRoot       string            // tar file
	iptablesWrapper string            // file
	dir             map[string]string // directory of a component's programs
	version         map[string]string // version of a component
}

// program is an image's entry for a component's program.
func (p parts) program(component, program, path string) entry {
	return entry{path: path, mode: 0o755, file: filepath.Join(p.dir[component], program)}
}

// build makes the planned image and leaves it in the Docker engine.
func (b *builder) build(ctx context.Context, p plan) error {
	unlock, err := b.store.lock(ctx, b.progress)
	if err != nil {
		return err
	}
	defer unlock()
	// Another process may have built it while this one waited.
	if built, err := present(ctx, p.image.Ref); err != nil || built {
		return err
	}
	b.progress.say("building the node image %s (the first time takes about 15 minutes on two cores; later builds reuse what did not change)", p.image.Ref)
	built, err := b.parts(ctx, p)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(b.store.dir, scratchPrefix+"image-")
	if err != nil {
		return fmt.Errorf("create a directory to put the node image together in: %w", err)
	}
	defer os.RemoveAll(scratch)
	if err := b.assemble(ctx, assembly{image: p.image, parts: built, dir: scratch}); err != nil {
		return fmt.Errorf("put the node image together: %w", err)
	}
	b.progress.say("built %s", p.image.Ref)
	return nil
}

// parts builds what is missing. Debian is installed while Go compiles: the one
// waits for the network mostly, the other takes all cores.
func (b *builder) parts(ctx context.Context, p plan) (parts, error) {
	built := parts{
		iptablesWrapper: b.sources.iptablesWrapper(),
		dir:             map[string]string{},
		version:         map[string]string{"kubernetes": p.kubernetes.version},
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		if built.proxyRoot, err = b.debianRoot(ctx, p.proxyRoot); err != nil {
			return err
		}
		built.nodeRoot, err = b.debianRoot(ctx, p.nodeRoot)
		return err
	})
	group.Go(func() (err error) {
		for _, c := range p.components {
			built.version[c.name] = c.version
			if built.dir[c.name], err = b.programs(ctx, c); err != nil {
				return err
			}
		}
		if built.dir["cni"], err = b.cniPlugins(ctx); err != nil {
			return err
		}
		built.dir["kubernetes"], err = b.programs(ctx, p.kubernetes)
		return err
	})
	return built, group.Wait()
}

// cniPlugins returns a directory with the reference CNI plugins and flannel's.
func (b *builder) cniPlugins(ctx context.Context) (string, error) {
	var dirs, keys []string
	for _, c := range []component{referencePlugins, flannelPlugin} {
		pinned, err := b.sources.pin(c)
		if err != nil {
			return "", err
		}
		dir, err := b.programs(ctx, pinned)
		if err != nil {
			return "", err
		}
		dirs, keys = append(dirs, dir), append(keys, pinned.key)
	}
	return b.store.artifact("cni", keyOf(keys...), func(all string) error {
		for _, dir := range dirs {
			if err := os.CopyFS(all, os.DirFS(dir)); err != nil {
				return fmt.Errorf("gather the CNI plugins: %w", err)
			}
		}
		return nil
	})
}

// nodeFiles lists what is in a node besides Debian: kind's files and ours, the
// programs, and the links by which "systemctl enable" would start kind's units.
func nodeFiles(built parts, s sources) ([]entry, error) {
	entries, err := tree(s.kindFiles, "", kindMode)
	if err != nil {
		return nil, err
	}
	own, err := tree(s.ownFiles(), "", kindMode)
	if err != nil {
		return nil, err
	}
	plugins, err := tree(built.dir["cni"], "opt/cni/bin", func(string) fs.FileMode { return 0o755 })
	if err != nil {
		return nil, err
	}
	entries = append(append(entries, own...), plugins...)
	for _, program := range []string{"kubeadm", "kubectl", "kubelet"} {
		entries = append(entries, built.program("kubernetes", program, "usr/bin/"+program))
	}
	for _, program := range []string{"containerd", "containerd-shim-runc-v2", "ctr"} {
		entries = append(entries, built.program("containerd", program, "usr/local/bin/"+program))
	}
	const units = "etc/systemd/system/"
	for _, unit := range []string{"kubelet.service", "containerd.service", "undo-mount-hacks.service"} {
		entries = append(entries, entry{path: units + "multi-user.target.wants/" + unit, link: "/" + units + unit})
	}
	return append(entries,
		built.program("crictl", "crictl", "usr/local/bin/crictl"),
		entry{path: "etc/kubernetes/manifests", mode: 0o755, dir: true},
		entry{path: "kind/version", mode: 0o644, text: built.version["kubernetes"]},
	), nil
}

// kindMode is the mode that kind's Dockerfile gives a file; module files have none.
func kindMode(path string) fs.FileMode {
	if strings.HasPrefix(path, "usr/local/bin/") || strings.HasPrefix(path, "kind/bin/") {
		return 0o755
	}
	return 0o644
}
