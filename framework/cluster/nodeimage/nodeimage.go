// SPDX-License-Identifier: Apache-2.0

// Package nodeimage provides the kind node image that clusters are made of: kind's
// own where a registry can be reached, else one built on this machine from Debian
// packages and Go modules, all pinned under kind-configs/node-image. It leaves the
// image in the Docker engine. It starts no engine and creates no cluster.
//
// The recipe repeats what kind's images/base/Dockerfile and pkg/build/nodeimage do,
// with kind's own files, read from the kind module that this module requires.
package nodeimage

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/cniproof/cniproof/framework/cluster/engine"
	"github.com/cniproof/cniproof/framework/config"
)

// Modes of Options other than an image reference.
const (
	ModeAuto  = "auto"
	ModeBuild = "build"
)

// Options says which node image is wanted.
type Options struct {
	// Mode is ModeAuto (also when empty), ModeBuild, or the reference of an image
	// to use as it is. ModeAuto takes an image built before for exactly these
	// inputs, else kindest/node as the release of kind pins it when its registry
	// answers, else builds. ModeBuild never asks a registry.
	Mode string
	// Kubernetes is the wanted minor version, "1.36". Empty takes kind's default,
	// or the newest folder kubernetes-* when building.
	Kubernetes string
	// Log gets the progress, a line per step; nil discards it.
	Log io.Writer
}

// Sources of an Image.
const (
	SourceBuilt   = "built"
	SourceKindest = "kindest"
	SourceGiven   = "given"
)

// Image is a node image that the Docker engine has.
type Image struct {
	Ref    string // what docker run takes
	Source string // SourceBuilt, SourceKindest or SourceGiven
	// Kubernetes is its version, "v1.36.3"; empty when the image does not tell.
	Kubernetes string
	// HasFlannel tells that flannel's image and the plugins of CNIPlugins are in
	// it. Without, nodes need the plugins from CNIPlugins and pull flannel.
	HasFlannel bool
}

// Labels by which an image built here tells what it is, also under another name.
const (
	labelKubernetes = "io.cniproof.kubernetes"
	labelFlannel    = "io.cniproof.flannel"
)

// Ensure makes sure that the Docker engine has the wanted node image. When nothing
// is to be done it takes well under a second; a first build takes minutes, resumes
// where an interrupted one stopped, and waits for one that is under way in another
// process. Its error names the component that failed, the command and its last lines.
func Ensure(ctx context.Context, opts Options) (Image, error) {
	if opts.Mode != "" && opts.Mode != ModeAuto && opts.Mode != ModeBuild {
		return given(ctx, opts.Mode)
	}
	b, err := newBuilder(ctx, opts.Log)
	if err != nil {
		return Image{}, err
	}
	plan, err := b.plan(opts.Kubernetes)
	if err != nil {
		return Image{}, err
	}
	built, err := present(ctx, plan.image.Ref)
	if err != nil || built {
		return plan.image, err
	}
	if opts.Mode != ModeBuild {
		if image, ok := b.published(ctx, opts.Kubernetes); ok {
			return image, nil
		}
	}
	return plan.image, b.build(ctx, plan)
}

// CNIPlugins returns a directory with the reference CNI plugins and flannel's, as
// static Linux binaries, building them when they are not there yet: kindest/node
// lacks bridge, and flannel has its plugin in an image of its own. No engine is
// needed.
func CNIPlugins(ctx context.Context, log io.Writer) (string, error) {
	b, err := newBuilder(ctx, log)
	if err != nil {
		return "", err
	}
	unlock, err := b.store.lock(ctx, b.progress)
	if err != nil {
		return "", err
	}
	defer unlock()
	return b.cniPlugins(ctx)
}

// given describes an image that the caller named, pulling it when it is not there.
func given(ctx context.Context, ref string) (Image, error) {
	there, err := present(ctx, ref)
	if err != nil {
		return Image{}, err
	}
	if !there {
		if _, err := engine.Docker(ctx, "pull", "--quiet", ref); err != nil {
			return Image{}, &config.Problem{
				What: fmt.Sprintf("the node image %s is neither in the Docker engine nor can it be pulled", ref),
				Do:   "load it, or name no image to have one found or built",
				Err:  err,
			}
		}
	}
	format := fmt.Sprintf("{{index .Config.Labels %q}} {{index .Config.Labels %q}}", labelKubernetes, labelFlannel)
	labels, err := engine.Docker(ctx, "image", "inspect", "--format", format, ref)
	if err != nil {
		return Image{}, fmt.Errorf("read the labels of the node image %s: %w", ref, err)
	}
	image := Image{Ref: ref, Source: SourceGiven}
	image.Kubernetes, image.HasFlannel = parseLabels(labels)
	if image.Kubernetes == "" {
		image.Kubernetes = tagVersion(ref)
	}
	return image, nil
}

// present tells whether the Docker engine has the image; the error means that the
// engine did not answer.
func present(ctx context.Context, ref string) (bool, error) {
	_, err := engine.Docker(ctx, "image", "inspect", "--format", "{{.Id}}", ref)
	if err != nil && strings.Contains(strings.ToLower(err.Error()), "no such image") {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for the image %s: %w", ref, err)
	}
	return true, nil
}
