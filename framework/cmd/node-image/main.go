// SPDX-License-Identifier: Apache-2.0

// Command node-image makes sure that the Docker engine has a kind node image and
// prints its reference, alone, on standard output; progress goes to standard error.
// It is package nodeimage as a command.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/cniproof/cniproof/framework/cluster/nodeimage"
)

func main() {
	options := nodeimage.Options{Log: os.Stderr}
	flag.StringVar(&options.Mode, "mode", nodeimage.ModeAuto, `"auto": an image built before from the same inputs, else kindest/node when its registry answers, else build; "build": never ask a registry; else the image to use`)
	flag.StringVar(&options.Kubernetes, "kubernetes", "", "minor version, e.g. 1.36 (default: kind's default, or the newest in kind-configs/node-image when building)")
	plugins := flag.Bool("cni-plugins", false, "build the CNI plugins only, which kindest/node lacks, and print their directory")
	cilium := flag.Bool("cilium", false, "build the images of Cilium only, which no node image has, and print their archive")
	upgrade := flag.Bool("upgrade", false, "prepare what an upgrade in place to -kubernetes needs only, and print the directory of kubeadm, kubelet and kubectl, and the archive of the pods' images")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "Usage: go run ./framework/cmd/node-image [flags]\n\n"+
			"Makes sure that the Docker engine has a kind node image and prints its reference.\n"+
			"Run it inside a clone. A first build takes about 15 minutes on two cores and resumes\n"+
			"when interrupted. Behind a mirror, set CNIPROOF_DEBIAN_MIRROR and GOPROXY.\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "node-image: want flags only, got %q\n", flag.Args())
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ensure := node
	switch {
	case *plugins:
		ensure = cniPlugins
	case *cilium:
		ensure = ciliumImages
	case *upgrade:
		ensure = kubernetesUpgrade
	}
	result, err := ensure(ctx, options)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "node-image:", err)
		os.Exit(1)
	}
	fmt.Println(result)
}

func node(ctx context.Context, options nodeimage.Options) (string, error) {
	image, err := nodeimage.Ensure(ctx, options)
	return image.Ref, err
}

func cniPlugins(ctx context.Context, options nodeimage.Options) (string, error) {
	return nodeimage.CNIPlugins(ctx, options.Log)
}

func ciliumImages(ctx context.Context, options nodeimage.Options) (string, error) {
	archive, err := nodeimage.Cilium(ctx, options.Log)
	return archive.Path, err
}

func kubernetesUpgrade(ctx context.Context, options nodeimage.Options) (string, error) {
	upgrade, err := nodeimage.KubernetesUpgrade(ctx, options.Log, options.Kubernetes)
	return upgrade.Programs + "\n" + upgrade.Images.Path, err
}
