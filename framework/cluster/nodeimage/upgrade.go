// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cniproof/cniproof/framework/config"
)

// Upgrade is what the nodes of a running cluster need for an upgrade in place to a
// Kubernetes or a CoreDNS, where no registry answers.
type Upgrade struct {
	// Images has the images of the pods.
	Images Archive
	// Ref is one of Images: a node that has it has them all.
	Ref string
	// Programs is a directory with kubeadm, kubelet and kubectl; empty for CoreDNS.
	Programs string
	Version  string // with its "v"
}

// KubernetesUpgrade returns the programs and images of a minor version, "1.36", built
// when they are not there yet, which takes minutes. No engine is needed.
func KubernetesUpgrade(ctx context.Context, log io.Writer, minor string) (Upgrade, error) {
	b, err := newBuilder(ctx, log)
	if err != nil {
		return Upgrade{}, err
	}
	unlock, err := b.store.lock(ctx, b.progress)
	if err != nil {
		return Upgrade{}, err
	}
	defer unlock()
	p, err := b.plan(minor)
	if err != nil {
		return Upgrade{}, err
	}
	built, err := b.parts(ctx, p)
	if err != nil {
		return Upgrade{}, err
	}
	programs := built.dir["kubernetes"]
	refs, err := kubeadmImages(ctx, filepath.Join(programs, "kubeadm"), p.kubernetes.version)
	if err != nil {
		return Upgrade{}, err
	}
	sandbox, err := sandboxImage(b.sources.kindFiles)
	if err != nil {
		return Upgrade{}, err
	}
	images, err := podImages(built, refs, sandbox)
	if err != nil {
		return Upgrade{}, err
	}
	archive, err := b.archived(ctx, "upgrade-"+p.kubernetes.name, p.image.Ref, built.version, images...)
	return Upgrade{Images: archive, Ref: refs["kube-apiserver"], Programs: programs, Version: p.kubernetes.version}, err
}

// corednsPrefix starts the names of the folders that have a CoreDNS other than the
// one that new clusters get.
const corednsPrefix = "coredns-"

// CoreDNSUpgrade is KubernetesUpgrade for the image of a CoreDNS, "1.15", under the
// name that the project publishes it by.
func CoreDNSUpgrade(ctx context.Context, log io.Writer, minor string) (Upgrade, error) {
	b, err := newBuilder(ctx, log)
	if err != nil {
		return Upgrade{}, err
	}
	unlock, err := b.store.lock(ctx, b.progress)
	if err != nil {
		return Upgrade{}, err
	}
	defer unlock()
	next := coredns
	next.name = corednsPrefix + minor
	if _, err := os.Stat(filepath.Join(b.sources.components, next.name)); err != nil {
		return Upgrade{}, &config.Problem{
			What: fmt.Sprintf("no image of CoreDNS %q can be built", minor),
			Do:   "add its folder " + next.name + " to kind-configs/node-image",
		}
	}
	programs, err := b.sources.pin(next)
	if err != nil {
		return Upgrade{}, err
	}
	dir, err := b.programs(ctx, programs)
	if err != nil {
		return Upgrade{}, err
	}
	built := parts{dir: map[string]string{coredns.name: dir}, version: map[string]string{coredns.name: programs.version}}
	ref := "registry.k8s.io/coredns/coredns:" + programs.version
	archive, err := b.archived(ctx, "upgrade-"+next.name, programs.key, built.version, corednsImage(built, ref))
	return Upgrade{Images: archive, Ref: ref, Version: programs.version}, err
}

// archived returns the images as an artifact of this name.
func (b *builder) archived(ctx context.Context, name, of string, version map[string]string, images ...podImage) (Archive, error) {
	key := keyOf(recipe, of)
	dir, err := b.store.artifact(name, key, func(dir string) error {
		return b.progress.step(ctx, "writing the images of "+name, func(context.Context) error {
			return b.archive(filepath.Join(dir, imagesTar), version, images...)
		})
	})
	return Archive{Path: filepath.Join(dir, imagesTar), Key: key}, err
}
