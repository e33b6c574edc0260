// SPDX-License-Identifier: Apache-2.0

// Command cluster makes the kind clusters of the harness and removes them: see
// package framework/cluster.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
)

const usage = `Usage: cluster up [-topology default] [-name NAME] [-node-image auto|build|REF] [-kubernetes 1.36]
       cluster down [-topology default] [-name NAME] [-all]
       cluster status

  up      make sure that a healthy kind cluster of the topology runs, and print the path
          of its kubeconfig, alone, on standard output; progress goes to standard error.
          A cluster kept from an earlier "up" is reused when it was made of the same
          node image, topology and manifests and still runs; otherwise it is replaced.
          Starts a Docker engine where none runs (see "engine -h"), and gets a node image.
  down    remove the kept cluster of the topology with its outside container and record;
          with -all every one that was made here. Clusters of others are never touched.
  status  list the clusters that were made here; exit 1 if there is none that runs.

Topologies are the files kind-configs/*.yaml.

Environment:
  NODE_IMAGE     default of -node-image: auto takes an image built for exactly these
                 inputs, else kindest/node where its registry answers, else builds one;
                 build never asks a registry; anything else is an image reference
  CNIPROOF_HOME  where kubeconfigs, records and logs of failed creations are kept
                 (default: cniproof in the user's cache directory)
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "cluster: %v\n", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	o := cluster.KindOptions{Timeouts: config.DefaultTimeouts(), Log: os.Stderr}
	flags.StringVar(&o.Topology, "topology", "default", "file of kind-configs without .yaml")
	flags.StringVar(&o.Name, "name", "", "end of the cluster's name")
	flags.StringVar(&o.NodeImage, "node-image", cmp.Or(os.Getenv("NODE_IMAGE"), "auto"), "auto, build or an image reference")
	flags.StringVar(&o.Kubernetes, "kubernetes", "", "minor version")
	all := flags.Bool("all", false, "every cluster that was made here")
	command := ""
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
	case command == "up":
		return up(ctx, o)
	case command == "down" && *all:
		return downAll(ctx, o)
	case command == "down":
		return cluster.Kind(o).Down(ctx)
	case command == "status":
		return status(ctx)
	}
	flags.Usage()
	return fmt.Errorf("wanted one of up, down, status, observed %q %q", command, flags.Args())
}

func up(ctx context.Context, o cluster.KindOptions) error {
	provider := cluster.Kind(o)
	if _, err := provider.Up(ctx); err != nil {
		return err
	}
	fmt.Println(provider.Kubeconfig())
	return nil
}

func downAll(ctx context.Context, o cluster.KindOptions) error {
	kept, err := cluster.ListKept(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, k := range kept {
		o.Topology, o.Name = k.Topology, k.Given
		errs = append(errs, cluster.Kind(o).Down(ctx))
	}
	return errors.Join(errs...)
}

func status(ctx context.Context) error {
	kept, err := cluster.ListKept(ctx)
	if err != nil {
		return err
	}
	runs := false
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tTOPOLOGY\tAGE\tSTATE\tNODE IMAGE\tKUBECONFIG")
	for _, k := range kept {
		runs = runs || k.State == "running"
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", k.Name, k.Topology, time.Since(k.Created).Round(time.Second), k.State, k.Image, k.Kubeconfig)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if !runs {
		return errors.New("no cluster of ours runs")
	}
	return nil
}
