// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/cniproof/cniproof/framework/cluster/engine"
)

// assembly is one image being put together.
type assembly struct {
	image Image
	parts parts
	dir   string // scratch
}

// importScript runs in a container of the base image with the archive of the pods'
// images as its standard input.
//
//go:embed import.sh
var importScript string

// entrypoint as in kind's Dockerfile.
var entrypoint = []string{"/usr/local/bin/entrypoint", "/sbin/init"}

// assemble makes the node image of its parts: a base image of Debian, kind's files
// and the programs, then the pods' images imported by the node's own containerd in a
// container of it, then a commit of that container.
func (b *builder) assemble(ctx context.Context, a assembly) error {
	base, err := name.NewTag(strings.Replace(a.image.Ref, repository, repository+"-base", 1))
	if err != nil {
		return fmt.Errorf("name the base image: %w", err)
	}
	err = b.progress.step(ctx, "loading the base image", func(ctx context.Context) error { return b.loadBase(ctx, a, base) })
	if err != nil {
		return err
	}
	// The name goes, the layers stay: the node image is made of them.
	defer cleanUp(ctx, "image", "rm", base.Name())
	err = b.progress.step(ctx, "importing the images of the pods", func(ctx context.Context) error { return b.importPods(ctx, a, base) })
	if err != nil {
		return err
	}
	return b.pruneImages(ctx)
}

func (b *builder) loadBase(ctx context.Context, a assembly, tag name.Tag) error {
	entries, err := nodeFiles(a.parts, b.sources)
	if err != nil {
		return err
	}
	spec, err := containerSpec(ctx, filepath.Join(a.parts.dir["containerd"], "ctr"))
	if err != nil {
		return err
	}
	entries = append(entries, entry{path: "etc/containerd/cri-base.json", mode: 0o644, text: string(spec)})
	layerPath := filepath.Join(a.dir, "node.tar")
	if err := writeLayer(layerPath, entries); err != nil {
		return err
	}
	var layers []v1.Layer
	for _, path := range []string{a.parts.nodeRoot, layerPath} {
		layer, err := newPlainLayer(path)
		if err != nil {
			return err
		}
		layers = append(layers, layer)
	}
	image, err := newImage(v1.Config{
		// systemd looks for it: https://systemd.io/CONTAINER_INTERFACE/
		Env:        []string{"container=docker"},
		Entrypoint: entrypoint,
		StopSignal: "SIGRTMIN+3", // SIGTERM would re-execute systemd
		Labels: map[string]string{
			labelKubernetes: a.image.Kubernetes,
			labelFlannel:    a.parts.version["flannel"],
		},
	}, layers...)
	if err != nil {
		return fmt.Errorf("make the base image: %w", err)
	}
	return feed(ctx, func(w io.Writer) error { return tarball.Write(tag, image, w) }, "docker", "load", "--quiet")
}

// importPods commits the node image.
func (b *builder) importPods(ctx context.Context, a assembly, base name.Tag) error {
	kubeadm := filepath.Join(a.parts.dir["kubernetes"], "kubeadm")
	refs, err := kubeadmImages(ctx, kubeadm, a.image.Kubernetes)
	if err != nil {
		return err
	}
	sandbox, err := sandboxImage(b.sources.kindFiles)
	if err != nil {
		return err
	}
	images, err := podImages(a.parts, refs, sandbox)
	if err != nil {
		return err
	}
	write, err := archivePodImages(images, a.parts.version, a.dir)
	if err != nil {
		return err
	}
	// This process has the lock: a container of this name is a killed build's.
	const container = "cniproof-node-image-build"
	cleanUp(ctx, "rm", "--force", "--volumes", container)
	defer cleanUp(ctx, "rm", "--force", "--volumes", container)
	err = feed(ctx, write, "docker", "run", "--interactive", "--name="+container, "--network=none",
		"--security-opt=seccomp=unconfined", "--tmpfs=/tmp", "--tmpfs=/run",
		"--entrypoint=/bin/bash", base.Name(), "-c", importScript)
	if err != nil {
		return err
	}
	command, err := json.Marshal(entrypoint)
	if err != nil {
		return fmt.Errorf("write the image's entrypoint: %w", err)
	}
	if _, err := engine.Docker(ctx, "commit", "--change=ENTRYPOINT "+string(command), "--change=CMD []", container, a.image.Ref); err != nil {
		return fmt.Errorf("keep the node image: %w", err)
	}
	return nil
}

// feed runs a command with what write writes as its standard input.
func feed(ctx context.Context, write func(io.Writer) error, argv ...string) error {
	read, pipe := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(pipe)
		pipe.CloseWithError(err)
		written <- err
	}()
	_, err := command{argv: argv, stdin: read}.run(ctx)
	read.CloseWithError(errors.New("the reading command has ended"))
	return errors.Join(err, <-written)
}

// newImage makes an image for Linux on this machine's architecture.
func newImage(config v1.Config, layers ...v1.Layer) (v1.Image, error) {
	image, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	config.Env = append(config.Env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	file.OS, file.Architecture, file.Config = "linux", runtime.GOARCH, config
	return mutate.ConfigFile(image, file)
}

// cleanUp removes something from the engine, also once ctx has ended. What is not
// there needs no removal, and an engine that fails has said so before.
func cleanUp(ctx context.Context, args ...string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	engine.Docker(ctx, args...)
}

// pruneImages removes all but the newest node images that were built here.
func (b *builder) pruneImages(ctx context.Context) error {
	refs, err := engine.Docker(ctx, "image", "ls", "--format={{.Repository}}:{{.Tag}}", repository)
	if err != nil {
		return fmt.Errorf("list the node images: %w", err)
	}
	list := strings.Fields(refs) // the newest first
	for _, ref := range list[min(keep, len(list)):] {
		cleanUp(ctx, "image", "rm", ref) // refused while a cluster uses it
	}
	return nil
}
