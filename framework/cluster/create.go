// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/cluster/constants"
	kindexec "sigs.k8s.io/kind/pkg/exec"
)

// modulesDir is mounted into every node by kind; docker makes it on hosts
// without kernel modules.
const modulesDir = "/lib/modules"

// create makes a cluster and its record. When it fails, or ctx ends, nothing is
// left but the nodes' logs, which the error names.
func (k *kind) create(ctx context.Context, p plan) (record, error) {
	name, err := k.newName(ctx)
	if err != nil {
		return record{}, err
	}
	r := record{Name: name, Topology: k.Topology, Given: k.Name, Created: time.Now(), Image: p.image.Ref, Inputs: p.inputs, Patches: p.patches}
	if r.MadeModules, err = k.store.makesModules(modulesDir); err != nil {
		return record{}, err
	}
	if err := k.store.save(r); err != nil {
		return record{}, err
	}
	k.steps.say("creating %s: topology %s, Kubernetes %s, CNI %s%s", name, k.Topology, p.image.Kubernetes, p.cni, patched(p.patches))
	bounded, cancel := context.WithTimeoutCause(ctx, k.Timeouts.ClusterUp, fmt.Errorf("no cluster within %v", k.Timeouts.ClusterUp))
	defer cancel()
	start := time.Now()
	if err := ensureNetwork(bounded, p.families); err != nil {
		return record{}, errors.Join(fmt.Errorf("make the docker network %s: %w", networkName, err), k.remove(context.WithoutCancel(ctx), r))
	}
	nodes := k.start(r, p)
	if err := k.finish(bounded, &r, p, nodes); err != nil {
		return record{}, k.abandon(ctx, r, nodes, err)
	}
	k.steps.done("creating "+name, start, true)
	return r, nil
}

func patched(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ", configured for a host with " + strings.Join(names, " and ")
}

// creation is kind's work, which takes no context.
type creation struct {
	done chan struct{}
	err  error // valid once done is closed
}

// start lets kind make the nodes and Kubernetes on them.
func (k *kind) start(r record, p plan) *creation {
	c := &creation{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		provider := kindcluster.NewProvider(kindcluster.ProviderWithDocker(), kindcluster.ProviderWithLogger(&kindLogger{steps: k.steps}))
		c.err = provider.Create(r.Name,
			kindcluster.CreateWithRawConfig(p.kind),
			kindcluster.CreateWithNodeImage(p.image.Ref),
			kindcluster.CreateWithKubeconfigPath(k.store.kubeconfig(r.Name)),
			kindcluster.CreateWithRetain(true), // the logs are wanted first
		)
	}()
	return c
}

// wait returns kind's error, or that of ctx when it ends first.
func (c *creation) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("create the nodes: %w", context.Cause(ctx))
	case <-c.done:
	}
	if run := kindexec.RunErrorForError(c.err); run != nil {
		lines := strings.Split(strings.TrimSpace(string(run.Output)), "\n")
		return fmt.Errorf("create the nodes: %w:\n%s", c.err, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
	if c.err != nil {
		return fmt.Errorf("create the nodes: %w", c.err)
	}
	return nil
}

// finish waits for the nodes and makes a cluster of them.
func (k *kind) finish(ctx context.Context, r *record, p plan, nodes *creation) error {
	if err := nodes.wait(ctx); err != nil {
		return err
	}
	containers, err := containersWith(ctx, labelKindCluster, r.Name)
	if err != nil {
		return err
	}
	access := newContainerAccess(r.Name, map[string]string{})
	controlPlane := ""
	for _, c := range containers {
		r.Containers = append(r.Containers, containerRun{Name: c.Name, ID: c.ID, Started: c.State.StartedAt})
		switch c.Config.Labels[labelKindRole] {
		case constants.ControlPlaneNodeRoleValue:
			controlPlane = c.Name
		case constants.ExternalLoadBalancerNodeRoleValue:
			continue
		}
		access.ids[c.Name] = c.ID
	}
	client, err := k.client(*r)
	if err != nil {
		return err
	}
	// A node is Ready when the CNI's configuration is there, before its agent is.
	// A pod started between the two fails and is tried again a quarter of a minute
	// later, so CoreDNS comes after both.
	replicas, err := scaleCoreDNS(ctx, client, 0)
	if err != nil {
		return err
	}
	if err := k.ensureOutside(ctx, *r, client); err != nil {
		return err
	}
	if err := k.installCNI(ctx, p, access, controlPlane); err != nil {
		return err
	}
	if err := k.steps.do("waiting for the nodes", func() error { return networkUp(ctx, client) }); err != nil {
		return err
	}
	err = k.steps.do("waiting for CoreDNS", func() error {
		if _, err := scaleCoreDNS(ctx, client, replicas); err != nil {
			return err
		}
		return coreDNSReady(ctx, client)
	})
	if err != nil {
		return err
	}
	r.Ready = true
	return k.store.save(*r)
}

func (k *kind) client(r record) (kubernetes.Interface, error) {
	config, _, err := readKubeconfig(k.store.kubeconfig(r.Name), "")
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// abandon removes what a failed creation made, after keeping the nodes' logs
// unless a person gave up. It has time of its own: ctx may have ended.
func (k *kind) abandon(ctx context.Context, r record, nodes *creation, failed error) error {
	interrupted := ctx.Err() != nil
	ctx = context.WithoutCancel(ctx)
	if interrupted {
		k.steps.say("interrupted: removing %s", r.Name)
	} else if dir, err := k.exportLogs(ctx, r); err != nil {
		failed = fmt.Errorf("%w\n(the nodes' logs could not be kept in %s: %w)", failed, dir, err)
	} else {
		failed = fmt.Errorf("%w\n(the nodes' logs are in %s)", failed, dir)
	}
	bounded, cancel := context.WithTimeout(ctx, k.Timeouts.ClusterDown)
	defer cancel()
	// Without its containers every step of kind fails, so it comes to its end.
	removed := poll(bounded, func(ctx context.Context) error {
		if err := removeLabelled(ctx, r.Name); err != nil {
			return err
		}
		select {
		case <-nodes.done:
			return nil
		default:
			return errors.New("kind still works on it")
		}
	})
	return errors.Join(failed, removed, k.remove(ctx, r))
}

// exportLogs keeps the logs of the nodes, and only those of the topology's last
// failure.
func (k *kind) exportLogs(ctx context.Context, r record) (string, error) {
	dir := k.store.logs(r.Topology)
	if err := os.RemoveAll(dir); err != nil {
		return dir, err
	}
	ctx, cancel := context.WithTimeout(ctx, k.Timeouts.Evidence)
	defer cancel()
	// kind takes no context here either; what it hangs on ends with the containers.
	exported := make(chan error, 1)
	go func() {
		provider := kindcluster.NewProvider(kindcluster.ProviderWithDocker())
		exported <- provider.CollectLogs(r.Name, dir)
	}()
	select {
	case err := <-exported:
		return dir, err
	case <-ctx.Done():
		return dir, fmt.Errorf("export the logs of %s: %w", r.Name, ctx.Err())
	}
}
