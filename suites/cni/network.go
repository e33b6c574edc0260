// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/framework/cluster"
)

// loaded is a network of containerd's.
type loaded = struct {
	Config struct{ Name, Source string }
}

// loopbackName is what containerd calls the network of the loopback plugin
// (github.com/containerd/go-cni, opts.go).
const loopbackName = "cni-loopback"

func usesLoopback(l loaded) bool { return l.Config.Name == loopbackName }

// delegate is the plugin that flannel's runs: bridge, unless it is told another.
func delegate(config []byte) string {
	var flannel struct {
		Delegate struct{ Type string }
	}
	_ = json.Unmarshal(config, &flannel) // libcni has read it before
	return cmp.Or(flannel.Delegate.Type, "bridge")
}

// ofNode tells whether the text is an address of the node's, or a range or an
// address within its pod ranges.
func ofNode(text string, n cluster.Node) bool {
	word, _, _ := strings.Cut(text, "/")
	a, err := netip.ParseAddr(word)
	if err != nil {
		return false
	}
	return slices.Contains(n.InternalIPs, a) || slices.ContainsFunc(n.PodCIDRs, func(p netip.Prefix) bool { return p.Contains(a) })
}

// sameJSON tells whether two texts are the same JSON.
func sameJSON(a, b []byte) bool {
	var left, right bytes.Buffer
	return json.Compact(&left, a) == nil && json.Compact(&right, b) == nil && bytes.Equal(left.Bytes(), right.Bytes())
}
