// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
)

var cilium = component{
	name:   "cilium",
	module: "github.com/cilium/cilium",
	sets:   []string{"github.com/cilium/cilium/pkg/version.ciliumVersion={version}"},
	tags:   []string{"osusergo"}, // as in Cilium's Makefile.defs
}

// ciliumRefs are the names of Cilium's published images, so that one manifest fits
// those and the image built here.
func ciliumRefs(version string) []string {
	return []string{"quay.io/cilium/cilium:" + version, "quay.io/cilium/operator-generic:" + version}
}

// ciliumRoot is that of the Cilium image: the compiler of the agent's programs
// without what it would link against.
func (s sources) ciliumRoot() (debian, error) {
	return s.pinDebian("cilium-root",
		"--variant=extract",
		"--setup-hook=/usr/share/mmdebstrap/hooks/merged-usr/setup00.sh",
		"--dpkgopt=path-exclude=/usr/share/*",
		"--dpkgopt=path-include=/usr/share/doc/*/copyright",
		"--dpkgopt=path-include=/usr/share/ca-certificates/*",
		"--dpkgopt=path-exclude=/usr/include/*",
		"--dpkgopt=path-exclude=/usr/lib/gcc/*",
		"--dpkgopt=path-exclude=/usr/lib/*.a",
		"--dpkgopt=path-exclude=/usr/lib/*/gconv/*")
}

// Archive is a file of images as "docker save" writes it.
type Archive struct {
	Path string
	// Key is a hash of all it was built from.
	Key string
}

// Cilium returns the images that Cilium's manifest names, built of its Go module and
// Debian packages when they are not there yet, which takes minutes. No engine is
// needed.
func Cilium(ctx context.Context, log io.Writer) (Archive, error) {
	b, err := newBuilder(ctx, log)
	if err != nil {
		return Archive{}, err
	}
	unlock, err := b.store.lock(ctx, b.progress)
	if err != nil {
		return Archive{}, err
	}
	defer unlock()
	programs, err := b.sources.pin(cilium)
	if err != nil {
		return Archive{}, err
	}
	root, err := b.sources.ciliumRoot()
	if err != nil {
		return Archive{}, err
	}
	wrapper, err := os.ReadFile(b.sources.iptablesWrapper())
	if err != nil {
		return Archive{}, fmt.Errorf("read the iptables wrapper: %w", err)
	}
	key := keyOf(recipe, programs.key, root.key, string(wrapper))
	dir, err := b.store.artifact("cilium-image", key, func(dir string) error {
		return b.ciliumImage(ctx, programs, root, filepath.Join(dir, imagesTar))
	})
	return Archive{Path: filepath.Join(dir, imagesTar), Key: key}, err
}

// imagesTar is the file of an artifact that is an Archive.
const imagesTar = "images.tar"

// ciliumImage puts agent, operator, plugin and the sources that the agent compiles
// into one image, as images/cilium/Dockerfile and images/operator/Dockerfile put them
// into two.
func (b *builder) ciliumImage(ctx context.Context, programs pinned, root debian, path string) error {
	built := parts{
		iptablesWrapper: b.sources.iptablesWrapper(),
		dir:             map[string]string{},
		version:         map[string]string{cilium.name: programs.version},
	}
	var rootTar, source string
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		rootTar, err = b.debianRoot(groupCtx, root)
		return err
	})
	group.Go(func() (err error) {
		if built.dir[cilium.name], err = b.programs(groupCtx, programs); err != nil {
			return err
		}
		source, err = programs.source(groupCtx)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return b.progress.step(ctx, "making the image of cilium "+programs.version, func(context.Context) error {
		base, err := packedLayer(rootTar)
		if err != nil {
			return err
		}
		files, err := ciliumFiles(built, source, filepath.Join(root.dir, "cilium-agent"))
		if err != nil {
			return err
		}
		return b.archive(path, built.version, podImage{
			refs: ciliumRefs(programs.version), component: cilium.name, base: []v1.Layer{base}, files: files,
			config: v1.Config{Cmd: []string{"/usr/bin/cilium-dbg"}, WorkingDir: "/home/cilium", Env: []string{"INITSYSTEM=SYSTEMD"}},
		})
	})
}

// archive writes images to a file.
func (b *builder) archive(path string, version map[string]string, images ...podImage) error {
	scratch, err := os.MkdirTemp(b.store.dir, scratchPrefix+"image-")
	if err != nil {
		return fmt.Errorf("create a directory to put images together in: %w", err)
	}
	defer os.RemoveAll(scratch)
	write, err := archivePodImages(images, version, scratch)
	if err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("create an archive of images: %w", err)
	}
	defer file.Close()
	if err := write(file); err != nil {
		return fmt.Errorf("write an archive of images: %w", err)
	}
	return file.Close()
}

// ciliumFiles are those of the image beside Debian's. source is Cilium's module.
func ciliumFiles(built parts, source, agentWrapper string) ([]entry, error) {
	bpf, err := tree(filepath.Join(source, "bpf"), "var/lib/cilium/bpf", func(string) fs.FileMode { return 0o644 })
	if err != nil {
		return nil, err
	}
	script := func(path string, from ...string) entry {
		return entry{path: path, mode: 0o755, file: filepath.Join(append([]string{source}, from...)...)}
	}
	return slices.Concat(iptablesFiles(built), bpf, []entry{
		built.program(cilium.name, "daemon", "usr/lib/cilium/cilium-agent"),
		{path: "usr/bin/cilium-agent", mode: 0o755, file: agentWrapper},
		built.program(cilium.name, "cilium-dbg", "usr/bin/cilium-dbg"),
		{path: "usr/bin/cilium", link: "cilium-dbg"},
		built.program(cilium.name, "operator", "usr/bin/cilium-operator-generic"), // the name tells it what it can
		built.program(cilium.name, "mount", "usr/bin/cilium-mount"),
		built.program(cilium.name, "sysctlfix", "usr/bin/cilium-sysctlfix"),
		built.program(cilium.name, "cilium-cni", "opt/cni/bin/cilium-cni"),
		script("init-container.sh", "images", "cilium", "init-container.sh"),
		script("install-plugin.sh", "plugins", "cilium-cni", "install-plugin.sh"),
		script("cni-uninstall.sh", "plugins", "cilium-cni", "cni-uninstall.sh"),
		{path: "usr/bin/clang", link: "clang-16"},
		{path: "usr/bin/llc", link: "llc-16"},
		{path: "home/cilium", mode: 0o755, dir: true},
	}), nil
}

// source is the directory of the component's module.
func (p pinned) source(ctx context.Context) (string, error) {
	_, env := p.command("")
	dir, err := command{argv: []string{"go", "list", "-mod=readonly", "-m", "-f={{.Dir}}", p.module}, dir: p.dir, env: env}.run(ctx)
	if err != nil {
		return "", fmt.Errorf("find the source of the component %s: %w", p.name, err)
	}
	return strings.TrimSpace(dir), nil
}
