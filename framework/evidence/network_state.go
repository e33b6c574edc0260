// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"strings"

	"github.com/cniproof/cniproof/framework/cluster"
)

// networkState reads; iptables-legacy-save only reads the tables that exist and
// loads no module.
var networkState = []command{
	{line: "ip -d addr", file: "network/ip-addr.txt"},
	{line: "ip -d -s link", file: "network/ip-link.txt"},
	{line: "ip -4 route show table all", file: "network/ip-route-4.txt"},
	{line: "ip -6 route show table all", file: "network/ip-route-6.txt"},
	{line: "ip -4 rule", file: "network/ip-rule-4.txt"},
	{line: "ip -6 rule", file: "network/ip-rule-6.txt"},
	{line: "ip neigh", file: "network/ip-neigh.txt"},
	{line: "bridge -d link", file: "network/bridge-link.txt"},
	{line: "bridge fdb", file: "network/bridge-fdb.txt"},
	{line: "iptables --version", file: "network/iptables-version.txt"},
	{line: "iptables-legacy-save -c", file: "network/iptables-legacy.txt"},
	{line: "iptables-nft-save -c", file: "network/iptables-nft.txt"},
	{line: "ip6tables-legacy-save -c", file: "network/ip6tables-legacy.txt"},
	{line: "ip6tables-nft-save -c", file: "network/ip6tables-nft.txt"},
	{line: "nft list ruleset", file: "network/nft-ruleset.txt"},
	{line: "ipset list -t", file: "network/ipset.txt"},
	{line: "conntrack -S", file: "network/conntrack-stats.txt"},
	{line: "conntrack -C", file: "network/conntrack-count.txt"},
	// Beside the list of all, which is long where there are many interfaces, has
	// these at its end, and may be cut.
	{line: "sysctl -e net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max", file: "network/conntrack-limit.txt"},
	{line: "ss -tulpn", file: "network/ss.txt"},
	{line: "ss -s", file: "network/ss-summary.txt"},
	{line: "nstat -az", file: "network/nstat.txt"},
	{line: `sysctl -a --pattern '^net\.'`, file: "network/sysctl.txt"},
	{line: "tc -s qdisc", file: "network/tc-qdisc.txt"},
	{line: "ip -all netns exec ip -d addr", file: "network/pod-addr.txt"},
	{line: "ip -all netns exec ip route", file: "network/pod-route.txt"},
	{line: "cat /etc/resolv.conf", file: "network/resolv.conf"},
	{line: "cat /etc/hosts", file: "network/hosts"},
}

// iptablesSave is for nodes from before there were two kinds of tables.
var iptablesSave = []command{{line: "iptables-save -c", file: "network/iptables.txt"}}

var _ = Register(Collector{
	Name: "network-state", Title: "Linux network state of the node", Always: true,
	Steps: steps(append(networkState, iptablesSave...)), PerNode: collectNetworkState,
})

func collectNetworkState(ctx context.Context, c *cluster.Cluster, _ string, w *Writer) error {
	split := false
	for i, a := range w.ask(ctx, c, networkState) {
		w.keep(c, networkState[i], a)
		split = split || strings.HasPrefix(networkState[i].line, "iptables-nft-save") && a.code != 127
	}
	if !split {
		w.run(ctx, c, iptablesSave)
	}
	return nil
}
