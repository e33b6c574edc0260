// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/cluster/engine"
	"github.com/cniproof/cniproof/framework/config"
)

// KindOptions say which cluster Kind provides.
type KindOptions struct {
	// Topology is a file of kind-configs without ".yaml"; empty is "default".
	Topology string
	// Name ends the cluster's name, cniproof-<topology>-<Name>. Empty is the
	// cluster of the topology, with a random end.
	Name string
	// NodeImage is "auto", "build" or an image reference; empty is "auto".
	NodeImage string
	// Kubernetes is the wanted minor version, "1.36"; empty is any.
	Kubernetes string
	// Timeouts bounds the creation with ClusterUp, the look at a kept cluster with
	// Connect, and the removal with ClusterDown. The engine's start and the build
	// of a node image have bounds of their own.
	Timeouts config.Timeouts
	// Log takes one line per step; nil is nowhere.
	Log io.Writer
}

// Kind provides a cluster made with kind in the local Docker engine, which it
// starts where there is none. Up keeps the cluster for the next Up of the same
// options and replaces it where it was made of other inputs or does not run any
// more. It knows its clusters by their records under config.Home()/clusters,
// and touches no other. Down removes the cluster of these options, also one
// that another process made.
//
// A Kind is for one goroutine; other processes may use the same options.
func Kind(o KindOptions) Provider {
	if o.Topology == "" {
		o.Topology = "default"
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return &kind{KindOptions: o, steps: &steps{w: o.Log}}
}

// Prepare gets the images that a cluster of the options is made of, which may take
// many minutes the first time, and makes no cluster.
func Prepare(ctx context.Context, o KindOptions) error {
	k := Kind(o).(*kind)
	if err := engine.Ensure(ctx, k.Log); err != nil {
		return err
	}
	_, err := newPlan(ctx, k.KindOptions)
	return err
}

type kind struct {
	KindOptions
	steps *steps
	store store
	// kubeconfig is set by Up.
	kubeconfig string
}

func (k *kind) Kubeconfig() string { return k.kubeconfig }

// Up returns the kept cluster, or creates one. What a killed Up left behind is
// removed first.
func (k *kind) Up(ctx context.Context) (*Cluster, error) {
	unlock, err := k.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := engine.Ensure(ctx, k.Log); err != nil {
		return nil, err
	}
	p, err := newPlan(ctx, k.KindOptions)
	if err != nil {
		return nil, err
	}
	r, kept, err := k.kept(ctx, p)
	if err != nil {
		return nil, err
	}
	if kept {
		err = k.renew(ctx, r)
	} else {
		r, err = k.create(ctx, p)
	}
	if err != nil {
		return nil, err
	}
	k.kubeconfig = k.store.kubeconfig(r.Name)
	c, err := k.connect(ctx)
	if err != nil {
		return nil, err
	}
	if !c.Owned || c.Outside == nil {
		return nil, fmt.Errorf("connect to the cluster %s just made ready: wanted its nodes and the outside on the local engine, observed owned %t, outside %v", r.Name, c.Owned, c.Outside)
	}
	return c, nil
}

func (k *kind) lock(ctx context.Context) (unlock func(), err error) {
	if k.store, err = openStore(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	return k.store.lock(ctx, k.Topology, func() {
		k.steps.say("waiting for another run that changes the clusters of topology %s", k.Topology)
	})
}

func (k *kind) connect(ctx context.Context) (*Cluster, error) {
	return Existing(ExistingOptions{Kubeconfig: k.kubeconfig, Timeouts: k.Timeouts, Log: k.Log}).Up(ctx)
}

// renew makes sure that a kept cluster has the outside of the present sources.
func (k *kind) renew(ctx context.Context, r record) error {
	ctx, cancel := context.WithTimeout(ctx, k.Timeouts.ClusterUp)
	defer cancel()
	client, err := k.client(r)
	if err != nil {
		return err
	}
	if err := k.ensureOutside(ctx, r, client); err != nil {
		return err
	}
	return k.steps.do("waiting for CoreDNS", func() error { return coreDNSReady(ctx, client) })
}

// mine returns the records of the clusters these options stand for.
func (k *kind) mine() ([]record, error) {
	records, err := k.store.list(k.Topology)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(records, func(r record) bool { return r.Given != k.Name }), nil
}

// kept returns the record of the cluster that can be used as it is. All others
// of these options it removes, saying why.
func (k *kind) kept(ctx context.Context, p plan) (record, bool, error) {
	records, err := k.mine()
	if err != nil {
		return record{}, false, err
	}
	for _, r := range records {
		why, err := k.stale(ctx, r, p)
		if err != nil {
			return record{}, false, fmt.Errorf("look at the kept cluster %s: %w", r.Name, err)
		}
		if why == nil {
			k.steps.say("reusing %s", r.Name)
			return r, true, nil
		}
		k.steps.say("replacing %s: %v", r.Name, why)
		if err := k.remove(ctx, r); err != nil {
			return record{}, false, err
		}
	}
	return record{}, false, nil
}

// Down removes the clusters of these options, their outside containers and
// records, and what else their creation made on this machine.
func (k *kind) Down(ctx context.Context) error {
	unlock, err := k.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	records, err := k.mine()
	if err != nil || len(records) == 0 {
		return err
	}
	// The containers are there even when their engine was stopped.
	if err := engine.Ensure(ctx, k.Log); err != nil {
		return err
	}
	for _, r := range records {
		if err := k.remove(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// newName is a name that nothing on this machine has.
func (k *kind) newName(ctx context.Context) (string, error) {
	end := k.Name
	if end == "" {
		end = strings.ToLower(rand.Text()[:6])
	}
	name := "cniproof-" + k.Topology + "-" + end
	out, err := engine.Docker(ctx, "ps", "--all", "--filter", "label="+labelKindCluster+"="+name, "--format", "{{.Names}}")
	if err != nil {
		return "", fmt.Errorf("look whether the name %s is free: %w", name, err)
	}
	if out != "" {
		return "", &config.Problem{What: fmt.Sprintf("there is a cluster %s, which is not known to be ours", name), Do: "remove it (kind delete cluster --name " + name + ") or choose another name"}
	}
	return name, nil
}
