// SPDX-License-Identifier: Apache-2.0

package fact

// Node is what the API server knows of a node.
type Node struct {
	Name      string
	Ready     bool
	Addresses []string
	PodCIDRs  []string
	// Runtime is "containerd://1.7.2", Kubelet "v1.36.3".
	Runtime, Kubelet string
	// Unreachable tells that the node's kubelet stopped reporting.
	Unreachable bool
	// NoNetwork is the message of condition NetworkUnavailable when it is true.
	NoNetwork string
	Quote     Quote
}

// Pod is what the API server knows of a pod.
type Pod struct {
	Namespace, Name, Node, IP string
	// Status is what kubectl get pods prints: Running, ContainerCreating,
	// CrashLoopBackOff, Init:Error ...
	Status            string
	Ready, Containers int
	Restarts          int
	HostNetwork       bool
	Labels            map[string]string
	// Ports are the containers' declared ports by name and number.
	Ports     []ContainerPort
	DNSPolicy string
	Quote     Quote
}

// ContainerPort is a port a container declares.
type ContainerPort struct {
	Name   string
	Number int
}

// ID is namespace/name, or the name alone where no namespace is known.
func (p Pod) ID() string {
	if p.Namespace == "" {
		return p.Name
	}
	return p.Namespace + "/" + p.Name
}

// Up tells that all its containers are ready.
func (p Pod) Up() bool { return p.Status == "Running" && p.Ready == p.Containers }

// Workload is a DaemonSet, Deployment or StatefulSet.
type Workload struct {
	// Kind is daemonset, deployment, statefulset.
	Kind, Namespace, Name string
	// Desired and Ready are numbers of pods.
	Desired, Ready int
	Labels         map[string]string
	Quote          Quote
}

// Service is what the API server knows of a Service.
type Service struct {
	Namespace, Name, ClusterIP, Type string
	// Selector is nil when the Service has none; HasSelector tells whether the
	// evidence shows it at all.
	Selector    map[string]string
	HasSelector bool
	Ports       []ServicePort
	Quote       Quote
}

// ServicePort is one of a Service's ports. Target is a number or a name.
type ServicePort struct {
	Name, Protocol string
	Port           int
	Target         string
}

// Endpoints are the addresses behind a Service, of all its slices.
type Endpoints struct {
	Namespace, Service string
	Ready, NotReady    []string
	Quote              Quote
}

// Policy is a NetworkPolicy or a CNI's own kind of it.
type Policy struct {
	Kind, Namespace, Name string
	// Ingress and Egress tell in which directions it isolates.
	Ingress, Egress bool
	// Selector is the pods' it isolates; empty is all of the namespace.
	Selector map[string]string
	// AllowsNothing tells that a direction it isolates has no rule.
	AllowsNothing bool
	// ForgetsDNS tells that it lets pods out by ports, and port 53 is none of them.
	ForgetsDNS bool
	Quote      Quote
}

// Pool is a range a CNI gives pods addresses from.
type Pool struct {
	Name, CIDR string
	Disabled   bool
	// Node is whose block it is, empty for a pool of the cluster.
	Node  string
	Quote Quote
}

// ConfigMap is one whose data matters to the network: CoreDNS', kube-proxy's,
// a CNI's.
type ConfigMap struct {
	Namespace, Name string
	Data            map[string]string
	Quote           Quote
}

// Check is the failed check a bundle was taken for, from check.json.
type Check struct {
	ID, Title, Area, Reason string
	Failures                []CheckFailure
	Quote                   Quote
}

// CheckFailure is one observation that contradicts the claim.
type CheckFailure struct {
	Node, Peer       string
	Pods             []string
	Wanted, Observed string
}
