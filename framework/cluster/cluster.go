// SPDX-License-Identifier: Apache-2.0

// Package cluster is where a cluster comes from and what is known of it: the
// providers (kind, which owns what it creates, and existing, which borrows),
// node access, and detection of CNI, runtime, kube-proxy mode and ranges. It
// runs no checks and draws no conclusions. It is the only package that knows
// kind.
package cluster

import (
	"context"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Cluster is a reachable cluster and what was detected of it once, at
// connection. It does not change afterwards and is safe for concurrent use.
type Cluster struct {
	// Name is the kubeconfig context's cluster name.
	Name string
	// Owned tells that this machine's harness created the cluster: images may
	// be loaded into its nodes and scenarios may break it.
	Owned bool
	// Server is the API server's version, e.g. "v1.36.3".
	Server string

	Config *rest.Config
	Client kubernetes.Interface

	// Nodes are sorted by name.
	Nodes []Node
	CNI   CNI
	// ProxyMode is kube-proxy's: iptables, nftables, ipvs, none (replaced or
	// absent) or unknown.
	ProxyMode string
	// PodCIDRs and ServiceCIDRs are the cluster-wide ranges where they could
	// be learnt; empty where not.
	PodCIDRs     []netip.Prefix
	ServiceCIDRs []netip.Prefix
	// Families are the pod network's address families, the primary first.
	Families []corev1.IPFamily

	// Access runs commands on nodes; nil where there is no way.
	Access NodeAccess
	// Outside is the world outside the cluster beside the nodes; nil where
	// there is none (clusters that are not ours).
	Outside *Outside
}

// Node is one node as the API server and its runtime describe it.
type Node struct {
	Name         string
	ControlPlane bool
	// Ready is the Ready condition; NotReadyReason is its message when false.
	Ready          bool
	NotReadyReason string
	// Cordoned is spec.unschedulable; Taints are the NoSchedule and NoExecute
	// ones.
	Cordoned    bool
	Taints      []corev1.Taint
	InternalIPs []netip.Addr
	PodCIDRs    []netip.Prefix
	OS, Arch    string
	Kernel      string
	Kubelet     string
	// Runtime is containerd, docker or cri-o; RuntimeVersion as reported.
	Runtime        string
	RuntimeVersion string
	Zone           string
}

// CNI is the detected network plugin.
type CNI struct {
	// Kind is flannel, calico, cilium, weave, kindnet or unknown.
	Kind string
	// Namespace and Selector find its per-node pods, e.g. kube-flannel and
	// app=flannel; empty when unknown.
	Namespace string
	Selector  string
	// DaemonSet is the name of the per-node agent's DaemonSet.
	DaemonSet string
	// Version is the agent image's tag.
	Version string
	// Backend is what the plugin says of its dataplane, e.g. vxlan or host-gw;
	// empty when unknown.
	Backend string
}

// Outside is a container beside the nodes that plays the internet
// (fixtures/outside).
type Outside struct {
	// Addrs are its addresses on the nodes' network.
	Addrs []netip.Addr
	// Zone is the DNS zone it serves, "outside.test".
	Zone string
}

// Command is one command for a node.
type Command struct {
	// Argv is run without a shell.
	Argv []string
	// Stdin is given to the command; nil is empty.
	Stdin []byte
	// Limit is the largest standard output kept, in bytes; 0 is 32 MiB. The
	// head and the tail are kept.
	Limit int64
}

// Output is what a command on a node answered.
type Output struct {
	Stdout, Stderr []byte
	// Code is the exit code; a command that ran and failed is no error.
	Code int
	// Truncated tells that bytes were left out of Stdout's middle.
	Truncated bool
}

// NodeAccess runs commands on nodes, in the node's own namespaces (network,
// mount, PID). Collectors only read with it; scenarios write, on owned clusters
// only. Safe for concurrent use. ctx bounds the command, which is killed when
// ctx ends.
type NodeAccess interface {
	// Run returns an error only when the command could not be run or ended by
	// ctx; a non-zero exit is in Output.Code. The error of a command that is not
	// on the node wraps exec.ErrNotFound of os/exec.
	Run(ctx context.Context, node string, cmd Command) (Output, error)
	// Describe is the command as a human would type it, e.g. "docker exec
	// worker2 journalctl -u kubelet".
	Describe(node string, argv []string) string
}

// Provider is where a cluster comes from.
type Provider interface {
	// Up makes the cluster reachable: creates it (kind) or connects (existing).
	// ctx bounds it. A *config.Problem tells what a person must do.
	Up(ctx context.Context) (*Cluster, error)
	// Kubeconfig is the path of a kubeconfig for the cluster, valid after Up.
	Kubeconfig() string
	// Down removes only what this provider's Up made; twice is fine, and it
	// never removes a cluster it did not create.
	Down(ctx context.Context) error
}
