// SPDX-License-Identifier: Apache-2.0

package claims_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/cluster"
)

const flannelConflist = `{
  "name": "cbr0",
  "cniVersion": "0.3.1",
  "plugins": [
    {"type": "flannel", "delegate": {"hairpinMode": true, "isDefaultGateway": true}},
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`

// containerdInfo is the part of crictl info that is read, with the loaded
// configuration.
func containerdInfo(loaded string) string {
	source, _ := json.Marshal(loaded)
	return fmt.Sprintf(`{"cniconfig":{"Networks":[{"Config":{"Name":"cni-loopback","Source":"{}"},"IFName":"lo"},{"Config":{"Name":"cbr0","Source":%s},"IFName":"eth0"}]},
"lastCNILoadStatus":"OK","status":{"conditions":[{"type":"RuntimeReady","status":true,"reason":"","message":""},{"type":"NetworkReady","status":true,"reason":"","message":""}]}}`, source)
}

func plugins(names ...string) string {
	const answer = `{"cniVersion":"0.4.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0"]}`
	var b strings.Builder
	for _, n := range names {
		fmt.Fprintf(&b, "\036plugin %[1]s /opt/cni/bin/%[1]s 0\n%[2]s\n", n, answer)
	}
	return b.String()
}

// configured is a world whose w1 has another configuration, loaded or not.
func configured(old, new string, loaded bool) func(*world) {
	return func(w *world) {
		m := w.equip()["w1"]
		config := strings.Replace(flannelConflist, old, new, 1)
		m["crictl"] = strings.Replace(m["crictl"], "config\n"+flannelConflist, "config\n"+config, 1)
		if loaded {
			m["crictl"] = strings.Replace(m["crictl"], containerdInfo(flannelConflist), containerdInfo(config), 1)
		}
	}
}

// crashed is a world whose agent on w1 ended with an error some time ago, a pod
// of an hour.
func crashed(ago time.Duration) func(*world) {
	return func(w *world) {
		p := w.pod("flannel-w1")
		p.CreationTimestamp = metav1.NewTime(time.Now().Add(-time.Hour))
		p.Status.ContainerStatuses[0].RestartCount = 3
		p.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "Error", FinishedAt: metav1.NewTime(time.Now().Add(-ago))}
	}
}

func older(change func(*cluster.Node)) func(*world) {
	return func(w *world) {
		w.equip()
		change(&w.env.Cluster.Nodes[1])
	}
}

// TestCNI shows the checks of area cni one fault each.
func TestCNI(t *testing.T) {
	absent := broken("crictl", "file /etc/cni/net.d/10-flannel.conflist\n", "file /opt/cni/net.d/10-flannel.conflist\n")
	cases := map[string]faulty{
		"no configuration": {check: "cni.config-present", given: absent, want: []string{"failed w1"}, says: []string{"none there, but /opt/cni/net.d/10-flannel.conflist"}},
		"a runtime that does not say": {
			check: "cni.config-present", given: broken("crictl", "file /etc/cni/net.d/10-flannel.conflist\n", "guessed\n"),
			want: []string{"inconclusive w1"},
		},
		"no JSON":         {check: "cni.config-present", given: configured("{", "", true), want: []string{"failed w1"}},
		"no name":         {check: "cni.config-present", given: configured(`"name"`, `"title"`, true), want: []string{"failed w1"}, says: []string{"no name"}},
		"no type":         {check: "cni.config-present", given: configured(`"type": "portmap", `, "", true), want: []string{"failed w1"}, says: []string{"missing 'type'"}},
		"no such version": {check: "cni.config-present", given: configured("0.3.1", "0.3.7", true), want: []string{"failed w1"}, says: []string{`cniVersion "0.3.7" is none of the CNI specification's`}},
		"a list that is not named so": {
			check: "cni.config-present", given: broken("crictl", "10-flannel.conflist", "10-flannel.conf"),
			want: []string{"failed w1"}, says: []string{"ends in .conf, not .conflist"},
		},
		"a plugin gone": {check: "cni.plugins-executable", given: broken("crictl", "plugin bridge", "plugin brigde"), want: []string{"failed w1"}, says: []string{"plugin bridge of", "it is not in /opt/cni/bin"}},
		"a plugin that may not run": {
			check: "cni.plugins-executable", given: broken("crictl", plugins("portmap"), "\036plugin portmap /opt/cni/bin/portmap 126\n"),
			want: []string{"failed w1"}, says: []string{"/opt/cni/bin/portmap may not be executed"},
		},
		"plugins too old for the configuration": {
			check: "cni.plugins-executable", given: configured("0.3.1", "1.0.0", true),
			want: []string{"failed w1", "failed w1", "failed w1", "failed w1", "failed w1"}, says: []string{"/opt/cni/bin/flannel supports 0.1.0, 0.2.0"},
		},
		"one node configured otherwise": {
			check: "cni.config-same", given: configured(`"hairpinMode": true`, `"hairpinMode": false`, true),
			want: []string{"failed w1"}, says: []string{`it differs in ["plugins[0].delegate.hairpinMode"]`},
		},
		"a file by another name": {check: "cni.config-same", given: broken("crictl", "10-flannel.conflist", "05-flannel.conflist"), want: []string{"failed w1"}, says: []string{"the file's name"}},
		"what is the node's own": {check: "cni.config-same", given: func(w *world) {
			for i, n := range w.equip() {
				at := strings.Index("cp w1 w2", i) / 3
				config := strings.Replace(flannelConflist, `"isDefaultGateway"`, fmt.Sprintf(`"node": %q, "subnet": "10.244.%d.0/24", "isDefaultGateway"`, i, at), 1)
				n["crictl"] = "confdir /etc/cni/net.d\nfile /etc/cni/net.d/10-flannel.conflist\n\036config\n" + config + "\n"
			}
		}},
		"changed and not loaded": {
			check: "cni.directories-in-use", given: configured(`"hairpinMode": true`, `"hairpinMode": false`, false),
			want: []string{"failed w1"}, says: []string{"the file changed since"},
		},
		"a runtime without network": {
			check: "cni.runtime-network-ready", given: func(w *world) {
				m := w.equip()["w1"]
				info := strings.Replace(containerdInfo(flannelConflist), `"NetworkReady","status":true,"reason":"","message":""`, `"NetworkReady","status":false,"reason":"NetworkPluginNotReady","message":"cni plugin not initialized"`, 1)
				m["crictl"] = "confdir /etc/cni/net.d\n\036runtime\n" + info + "\n"
			},
			want: []string{"failed w1"}, says: []string{"NetworkPluginNotReady: cni plugin not initialized"},
		},
		"a runtime that does not answer": {check: "cni.runtime-network-ready", given: func(w *world) { w.equip()["w1"]["crictl"] = "confdir /etc/cni/net.d\n" }, want: []string{"inconclusive w1"}},
		"the kubelet's word":             {check: "cni.runtime-network-ready", given: func(w *world) { w.equip(); w.env.Cluster.Access = nil }},
		"a crash lately":                 {check: "cni.agent-stable", given: crashed(2 * time.Minute), want: []string{"failed w1"}, says: []string{"c crashed 2m0s ago with exit code 137"}},
		"a crash before":                 {check: "cni.agent-stable", given: crashed(20 * time.Minute)},
		"two versions": {
			check: "cni.agent-stable", given: func(w *world) {
				for _, n := range nodeNames {
					w.pod("flannel-" + n).Spec.Containers = []corev1.Container{{Image: "flannel:v1"}}
				}
				w.pod("flannel-w2").Spec.Containers[0].Image = "flannel:v2"
			},
			want: []string{"failed w2"}, says: []string{"flannel:v1 as on 2 nodes"},
		},
		"addresses short": {
			check: "cni.address-headroom", given: func(w *world) {
				m := w.equip()["w1"]
				for i := 2; i < 220; i++ {
					m["leases"] += fmt.Sprintf("/var/lib/cni/networks/cbr0/10.244.1.%d\x00id\n", i)
				}
			},
			want: []string{"failed w1"}, says: []string{"218 of 253 addresses, 86 %"},
		},
		"a kubelet too old":     {check: "cni.version-skew", given: older(func(n *cluster.Node) { n.Kubelet = "v1.32.9" }), want: []string{"failed w1"}},
		"a kubelet old enough":  {check: "cni.version-skew", given: older(func(n *cluster.Node) { n.Kubelet = "v1.33.0+k3s1" })},
		"a kubelet newer":       {check: "cni.version-skew", given: older(func(n *cluster.Node) { n.Kubelet = "v1.37.0" }), want: []string{"failed w1"}},
		"containerd too old":    {check: "cni.version-skew", given: older(func(n *cluster.Node) { n.RuntimeVersion = "1.7.29" }), want: []string{"failed w1"}, says: []string{"containerd 2.0 or later"}},
		"a version of no sense": {check: "cni.version-skew", given: older(func(n *cluster.Node) { n.Kubelet = "devel" }), want: []string{"inconclusive w1"}},
	}
	for _, id := range []string{"config-present", "plugins-executable", "config-same", "directories-in-use", "runtime-network-ready", "agent-stable", "address-headroom", "version-skew"} {
		cases["healthy: "+id] = faulty{check: "cni." + id, given: healthy}
	}
	run(t, cases)
}
