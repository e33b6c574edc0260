// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"regexp"
	"slices"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// What the kubelet, etcd, the API server's clients and CNIs say after a node
// got another address.
var (
	nodeIPChanged = fact.Say("a node's address is not the one it had",
		`failed to validate nodeIP`, `node IP:? "?[\d.a-f:]+"? not found in the host's network interfaces`,
		`listen tcp \S+:(?:2379|2380|6443|10250): bind: cannot assign requested address`, `bind: cannot assign requested address`,
		`(?:node|host)(?:'s)? (?:IP(?:v[46])?|address|internal IP)(?: address)? (?:has |was )?changed`, `IP(?:v[46])? address (?:has )?changed from`,
		`public IP (?:has )?changed`, `node IP address changed`, `(?:detected|found) (?:new|changed) (?:node )?IP`,
		`node .{0,60}(?:already )?(?:using|has) (?:the )?(?:different|another) (?:IP|address)`,
		`error getting node "[^"]*": node "[^"]*" not found.{0,200}x509`,
	)
	certNotForIP = fact.Say("a certificate is not valid for the address in use",
		`x509: certificate is valid for [^\n]*?, not (?P<ip>\d+\.\d+\.\d+\.\d+|[0-9a-f:]{6,})`,
		`x509: cannot validate certificate for (?P<ip>\d+\.\d+\.\d+\.\d+)`,
	)
	// metricsText matches clients for which such certificates are normal.
	metricsText = regexp.MustCompile(`(?i)metrics-server|scrap|prometheus|doesn't contain any IP SANs`)
)

var _ = Register(Rule{
	Code:       NodeIPChanged,
	Title:      "a node's address changed",
	Hint:       "Certificates, etcd's member list, kubeconfigs and the CNI's records still have the old address (DHCP, a restore, a moved machine).",
	Suppresses: []Code{CNICertInvalid, RuntimeDown, NotNetworkApplication, CNIAPIServerUnreachable},
	Fix: []string{
		"ip -4 addr; kubectl get node <node> -o wide; grep -r -e node-ip -e advertise-address /etc/kubernetes /var/lib/kubelet   # on <node>: old against new",
		"give the machine its old address back, or renew: kubeadm init phase certs apiserver --apiserver-advertise-address=<new>, then kubeadm init phase kubeconfig all",
		"kubectl delete node <node>; kubeadm reset; kubeadm join ...   # for a worker",
	},
	Refutes: "the node's addresses (ip addr) having the InternalIP the API server knows",
	Looks:   []fact.Sort{fact.KubeletLog, fact.NetworkState},
	Match: func(f *fact.Facts) []Finding {
		found := some(cite(0.88, where(current(f, f.Said(nodeIPChanged)), func(s fact.Statement) bool {
			return !addressMissing.MatchString(s.Text) || !atHome(f, s.Node)
		})))
		cert := without(without(current(f, f.Said(certNotForIP)), metricsText), registryText)
		cert = without(without(cert, sandboxFailure), cniContext)
		found = append(found, some(cite(0.88, cert))...)
		return append(found, strangers(f)...)
	},
})

// addressMissing matches a kubelet that does not find the node's address.
var addressMissing = regexp.MustCompile(`(?i)validate nodeIP|not found in the host's network interfaces`)

// atHome tells whether the node is seen to have an address the API server knows of
// it: what was said of a missing one is past then.
func atHome(f *fact.Facts, node string) bool {
	n, _ := f.NodeByName(node)
	return slices.ContainsFunc(f.Addrs, func(a fact.Addr) bool {
		return a.Node == node && contains(n.Addresses, a.Prefix.Addr().String())
	})
}

// strangers are nodes none of whose interfaces has the address the API server
// knows.
func strangers(f *fact.Facts) []Finding {
	var found []Finding
	for _, n := range f.Nodes {
		var has []fact.Addr
		match := len(n.Addresses) == 0
		for _, a := range f.Addrs {
			if a.Node != n.Name {
				continue
			}
			has = append(has, a)
			match = match || contains(n.Addresses, a.Prefix.Addr().String())
		}
		if match || len(has) < 2 {
			continue
		}
		one := Finding{Confidence: 0.9, direct: true, Step: string(fact.NetworkState),
			Title: "node " + n.Name + " does not have the address " + n.Addresses[0] + " that the API server knows"}
		one.on(n.Name)
		one.quote(n.Quote)
		for _, a := range has {
			if a.Link != "lo" {
				one.quote(a.Quote)
			}
		}
		found = append(found, one)
	}
	return found
}
