// SPDX-License-Identifier: Apache-2.0

package monitor

import "strings"

// Ways that are sampled.
const (
	SameNode  = "pod-same-node"  // a pod to another on its node
	OtherNode = "pod-other-node" // a pod to one on the next node, in a ring
	Service   = "service"        // a pod to a Service's ClusterIP with a backend on every node
	NodePort  = "nodeport"       // a node to a NodePort at its own InternalIP
	DNS       = "dns"            // a pod to the ClusterIP of the cluster's DNS
	Egress    = "egress"         // a pod to an egress target
	// ControlSelf is a monitor to itself over loopback: when it fails, the monitor
	// did not get to run. ControlNode is a node to the next by InternalIP, which
	// needs no CNI.
	ControlSelf = "control-self"
	ControlNode = "control-node"
)

// Ways are those whose gaps count, in the order of reports.
var Ways = []string{SameNode, OtherNode, Service, NodePort, DNS, Egress}

// Flows: what a sample is.
const (
	FlowTCP  = "tcp"  // a new connection, a line there and back
	FlowHeld = "held" // a line there and back over one connection
	FlowUDP  = "udp"  // a datagram from a new socket and its answer
)

// Path is one way from one node that is sampled.
type Path struct {
	// Node is the one of the monitor, Peer where it aims at: a node, or an egress
	// target; empty for a Service.
	Node   string `json:"node"`
	Way    string `json:"way"`
	Flow   string `json:"flow"`
	Family string `json:"family"`
	Peer   string `json:"peer,omitempty"`
}

// Kind is what budgets are about: the way, and "held" apart, for which other
// times hold.
func (p Path) Kind() string {
	if p.Flow == FlowHeld {
		return p.Way + "/" + FlowHeld
	}
	return p.Way
}

// Control tells that the path is there to tell the harness's own trouble from the
// cluster's.
func (p Path) Control() bool { return p.Way == ControlSelf || p.Way == ControlNode }

// String is the path as reports name it, e.g. "service/tcp/ipv4 from worker2".
func (p Path) String() string {
	s := p.Way + "/" + p.Flow + "/" + p.Family + " from " + p.Node
	if p.Peer != "" {
		s += " to " + p.Peer
	}
	return s
}

// onHost is the Peer of ControlSelf of the monitor on the host network.
const onHost = "host"

// self is the control of the monitor that samples the path.
func (p Path) self() Path {
	self := Path{Node: p.Node, Way: ControlSelf, Flow: FlowTCP, Family: "ipv4"}
	if p.Way == NodePort || p.Way == ControlNode {
		self.Peer = onHost
	}
	return self
}

// id is the path's among those of its node.
func (p Path) id() string {
	return strings.Join([]string{p.Way, p.Flow, p.Family, p.Peer}, "/")
}

func parseID(node, id string) (Path, bool) {
	parts := strings.SplitN(id, "/", 4)
	if len(parts) != 4 {
		return Path{}, false
	}
	return Path{Node: node, Way: parts[0], Flow: parts[1], Family: parts[2], Peer: parts[3]}, true
}
