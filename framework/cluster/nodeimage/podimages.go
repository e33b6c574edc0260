// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// podImage is one image of the cluster's own pods.
type podImage struct {
	refs []string
	// component is what is in it. Its version is a label of the image, since the
	// tag is the one that kubeadm or kind's containerd asks for.
	component string
	base      []v1.Layer
	files     []entry
	config    v1.Config
}

// flannelRepository is the repository of flannel's published image, so that one
// manifest fits this image and kindest/node.
const flannelRepository = "ghcr.io/flannel-io/flannel"

// podImages lists the images of kubeadm's and flannel's pods. refs are kubeadm's
// references by their last path element; sandbox is the pause image that kind's
// containerd is configured with.
func podImages(built parts, refs map[string]string, sandbox string) ([]podImage, error) {
	root, err := packedLayer(built.proxyRoot)
	if err != nil {
		return nil, err
	}
	proxy := []v1.Layer{root}
	kube := func(program string) entry { return built.program("kubernetes", program, "usr/local/bin/"+program) }
	images := []podImage{
		{
			refs: []string{refs["pause"], sandbox}, component: "pause",
			files:  []entry{built.program("pause", "pause", "pause")},
			config: v1.Config{Entrypoint: []string{"/pause"}, User: "65535:65535"},
		}, {
			refs: []string{refs["etcd"]}, component: "etcd",
			files: []entry{
				built.program("etcd", "server", "usr/local/bin/etcd"),
				built.program("etcd", "etcdctl", "usr/local/bin/etcdctl"),
			},
		}, corednsImage(built, refs["coredns"]), {
			refs: []string{flannelRepository + ":" + built.version["flannel"]}, component: "flannel",
			base:   proxy,
			files:  append(iptablesFiles(built), built.program("flannel", "flannel", "opt/bin/flanneld")),
			config: v1.Config{Entrypoint: []string{"/opt/bin/flanneld"}},
		}, {
			refs: []string{refs["kube-proxy"]}, component: "kubernetes",
			base:  proxy,
			files: append(iptablesFiles(built), kube("kube-proxy")),
		},
	}
	for _, program := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		images = append(images, podImage{refs: []string{refs[program]}, component: "kubernetes", files: []entry{kube(program)}})
	}
	for _, image := range images {
		if slices.Contains(image.refs, "") {
			return nil, fmt.Errorf("name the image of %s %v: kubeadm wants only %v", image.component, image.refs, slices.Sorted(maps.Values(refs)))
		}
	}
	return images, nil
}

func corednsImage(built parts, ref string) podImage {
	return podImage{
		refs: []string{ref}, component: "coredns",
		files:  []entry{built.program("coredns", "coredns", "coredns")},
		config: v1.Config{Entrypoint: []string{"/coredns"}, WorkingDir: "/"},
	}
}

// iptablesFiles put the wrapper in the place of each iptables command.
func iptablesFiles(built parts) []entry {
	files := []entry{{path: "usr/sbin/iptables-wrapper", mode: 0o755, file: built.iptablesWrapper}}
	for _, family := range []string{"iptables", "ip6tables"} {
		for _, command := range []string{family, family + "-save", family + "-restore"} {
			files = append(files, entry{path: "usr/sbin/" + command, link: "iptables-wrapper"})
		}
	}
	return files
}

// archivePodImages makes the images, with their layers in dir, and returns a
// function that writes them as "docker save" does.
func archivePodImages(images []podImage, version map[string]string, dir string) (func(io.Writer) error, error) {
	tagged := map[name.Tag]v1.Image{}
	for _, pod := range images {
		pod.config.Labels = map[string]string{"org.opencontainers.image.version": version[pod.component]}
		layer := filepath.Join(dir, path.Base(pod.refs[0])+".tar")
		if err := writeLayer(layer, pod.files); err != nil {
			return nil, err
		}
		top, err := packedLayer(layer)
		if err != nil {
			return nil, err
		}
		image, err := newImage(pod.config, append(slices.Clone(pod.base), top)...)
		if err != nil {
			return nil, fmt.Errorf("make the image %s: %w", pod.refs[0], err)
		}
		for _, ref := range pod.refs {
			tag, err := name.NewTag(ref)
			if err != nil {
				return nil, fmt.Errorf("make the image %s: %w", ref, err)
			}
			tagged[tag] = image
		}
	}
	return func(w io.Writer) error { return tarball.MultiWrite(tagged, w) }, nil
}

// kubeadmImages asks kubeadm which images it will want, by their last path element.
func kubeadmImages(ctx context.Context, kubeadm, version string) (map[string]string, error) {
	text, err := command{argv: []string{kubeadm, "config", "images", "list", "--kubernetes-version", version}}.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask kubeadm for the names of its images: %w", err)
	}
	return parseImages(text), nil
}

func parseImages(text string) map[string]string {
	refs := map[string]string{}
	for ref := range strings.FieldsSeq(text) {
		repository, _, _ := strings.Cut(ref, ":")
		refs[path.Base(repository)] = ref
	}
	return refs
}

var sandboxPattern = regexp.MustCompile(`(?m)^\s*sandbox_image\s*=\s*"([^"]+)"`)

// sandboxImage reads the pause image from kind's configuration of containerd.
func sandboxImage(kindFiles string) (string, error) {
	file := filepath.Join(kindFiles, "etc", "containerd", "config.toml")
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read kind's configuration of containerd: %w", err)
	}
	match := sandboxPattern.FindSubmatch(text)
	if match == nil {
		return "", fmt.Errorf("find the pause image in %s: it has no sandbox_image", file)
	}
	return string(match[1]), nil
}
