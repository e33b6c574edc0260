// SPDX-License-Identifier: Apache-2.0

package nodestate

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestRoutes reads what iproute2 6.1 prints: a route with two next hops, one of
// them dead, Calico's blackhole for its own block, a gateway of the other family.
func TestRoutes(t *testing.T) {
	routes, err := parseRoutes([]byte(`[{"dst":"default","gateway":"172.19.0.1","dev":"eth0","flags":[]},
{"dst":"10.244.2.0/24","protocol":"bird","flags":[],"nexthops":[{"gateway":"172.19.0.4","dev":"eth0","weight":1,"flags":["dead","linkdown"]},{"gateway":"172.19.0.5","dev":"eth1","weight":1,"flags":[]}]},
{"type":"blackhole","dst":"192.168.71.0/26","flags":[]},{"dst":"192.168.71.1","dev":"calia48","scope":"link","flags":[]},
{"dst":"10.9.0.0/16","via":{"family":"inet6","host":"fe80::1"},"dev":"eth0","flags":[]},
{"type":"local","dst":"127.0.0.0/8","dev":"lo","table":"local","flags":[]}]
[{"dst":"fd00::/64","dev":"cni0","flags":[]},{"dst":"default","gateway":"fe80::2","dev":"eth0","flags":[]}]`))
	if err != nil {
		t.Fatal(err)
	}
	want := "[0.0.0.0/0 via 172.19.0.1 dev eth0 10.244.2.0/24 via 172.19.0.4 dev eth0 dead 10.244.2.0/24 via 172.19.0.5 dev eth1" +
		" blackhole 192.168.71.0/26 192.168.71.1/32 dev calia48 10.9.0.0/16 via fe80::1 dev eth0 fd00::/64 dev cni0 ::/0 via fe80::2 dev eth0]"
	if got := fmt.Sprint(routes); got != want {
		t.Errorf("got    %s\nwanted %s", got, want)
	}
	for addr, want := range map[string]string{
		"10.244.2.7":   "[10.244.2.0/24 via 172.19.0.5 dev eth1]",
		"192.168.71.1": "[192.168.71.1/32 dev calia48]",
		"192.168.71.9": "[blackhole 192.168.71.0/26]",
		"fd00::9":      "[fd00::/64 dev cni0]",
		"fd01::9":      "[::/0 via fe80::2 dev eth0]",
	} {
		if got := fmt.Sprint(To(routes, netip.MustParseAddr(addr))); got != want {
			t.Errorf("to %s: %s, wanted %s", addr, got, want)
		}
	}
}

func TestSettings(t *testing.T) {
	s := parseSettings([]byte("net/ipv4/conf/all/rp_filter:1\nnet/ipv4/conf/flannel.1/rp_filter:2\nnet/ipv4/conf/eth0/rp_filter:0\ngrep: nothing\n"))
	for link, strict := range map[string]bool{"flannel.1": false, "eth0": true, "unknown": true} {
		if s.Strict(link) != strict {
			t.Errorf("%s strict: %v, wanted %v", link, !strict, strict)
		}
	}
}

// TestKernelOfContainer drops what the host said before the container began at
// 4000 s; a machine keeps all.
func TestKernelOfContainer(t *testing.T) {
	head := "5000.00 100.00\n1 (my init) S 0 1 1 0 -1 4194560 6542 3088247 4 52 485 532 5698 6258 20 0 1 0 400000 21225472 3117\n4026532263\n"
	lines := "[ 3999.900000] nf_conntrack: table full\n[ 4990.500000] nf_conntrack: table full\nno stamp\n"
	for kind, want := range map[string]int{"container": 1, "machine": 2} {
		log, err := parseKernel(head + kind + "\n" + lines)
		if err != nil || len(log.Lines) != want || log.Namespace != "4026532263" {
			t.Errorf("%s: %v %v, wanted %d lines", kind, log, err, want)
		}
		if last := log.Lines[len(log.Lines)-1]; last.Age != 9500*time.Millisecond {
			t.Errorf("%s: the last line is %s old, wanted 9.5 s", kind, last.Age)
		}
	}
	if _, err := parseKernel("sh: cat: not found\n"); err == nil {
		t.Error("no error for what is no kernel log")
	}
}

func TestTunnelNeedsBothEntries(t *testing.T) {
	next := netip.MustParseAddr("10.244.2.0")
	tunnel := Tunnel{Neighbours: []Neighbour{{Addr: next, Dev: "flannel.1", MAC: "0A:01", State: []string{"PERMANENT"}}}}
	if _, missing := tunnel.End("flannel.1", next); missing != "no forwarding entry for 0A:01 (10.244.2.0) on flannel.1" {
		t.Errorf("missing %q", missing)
	}
	tunnel.FDB = []Forward{{MAC: "0a:01", Dev: "flannel.1", Dst: "172.18.0.4"}}
	if end, missing := tunnel.End("flannel.1", next); missing != "" || end.String() != "172.18.0.4" {
		t.Errorf("end %s, missing %q", end, missing)
	}
	if _, missing := tunnel.End("vxlan.calico", next); missing == "" {
		t.Error("found an end by another interface")
	}
}

func TestFirstFileByNameCounts(t *testing.T) {
	n, err := parseNetwork("confdir /etc/cni/net.d\nbindir /opt/cni/bin\nfile /etc/cni/net.d/10-flannel.conflist\nfile /etc/cni/net.d/05-old.conf\nfile /opt/cni/net.d/00-x.conf\n\036config\n{}\n\036plugin portmap /opt/cni/bin/portmap 126\n\n")
	if err != nil || n.File != "/etc/cni/net.d/05-old.conf" || len(n.Files) != 3 || n.Plugins["portmap"].Code != 126 {
		t.Errorf("%+v, %v", n, err)
	}
	if _, err := parseNetwork("sh: syntax error\n"); err == nil {
		t.Error("no error for what names no directory")
	}
}

// TestDirectories: the runtimes' own words, shortened.
func TestDirectories(t *testing.T) {
	for name, tt := range map[string]struct{ said, want string }{
		"crictl info of containerd 2": {"{\n  \"cniconfig\": {\"PluginDirs\": [\n\"/opt/cni/bin\"\n], \"PluginConfDir\": \"/etc/cni/live.d\"},\n\"config\": {\"cni\": {\"binDir\": \"\", \"binDirs\": [\"/usr/libexec/cni/\", \"/opt/cni/bin\"], \"confDir\": \"/etc/cni/live.d\"},\n\"runc\": {\"cniConfDir\": \"\"}}}",
			"conf /etc/cni/live.d bin /opt/cni/bin bin /usr/libexec/cni"},
		"containerd 2": {"version = 4\n      cni_conf_dir = ''\n    [plugins.'io.containerd.cri.v1.runtime'.cni]\n      bin_dir = ''\n      bin_dirs = ['/opt/cni/bin']\n      conf_dir = '/etc/cni/two.d'\n",
			"conf /etc/cni/two.d bin /opt/cni/bin"},
		"containerd 1": {"      bin_dir = \"/home/kubernetes/bin\"\n      conf_dir = \"/etc/cni/net.d\"\n", "conf /etc/cni/net.d bin /home/kubernetes/bin"},
		"CRI-O": {"# plugin_dirs = [\"/not/this\"]\n[crio.network]\nnetwork_dir = \"/etc/cni/crio.d/\"\n\nplugin_dirs = [\n\t\"/opt/cni/bin/\",\n\t\"/usr/libexec/cni\",\n]\n",
			"conf /etc/cni/crio.d/ bin /opt/cni/bin bin /usr/libexec/cni"},
		"cri-dockerd": {"812 /usr/bin/cri-dockerd --network-plugin=cni --cni-conf-dir=/etc/cni/docker.d --cni-bin-dir=/opt/docker/bin,/opt/cni/bin --container-runtime-endpoint fd://\n",
			"conf /etc/cni/docker.d bin /opt/docker/bin bin /opt/cni/bin"},
		"nothing": {"", ""},
	} {
		cmd := exec.Command("awk", directories)
		cmd.Stdin = strings.NewReader(tt.said)
		out, err := cmd.CombinedOutput()
		if got := strings.Join(strings.Fields(string(out)), " "); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, tt.want)
		}
	}
}

func TestTypes(t *testing.T) {
	for conf, want := range map[string]string{
		"{\"plugins\": [{\"type\": \"flannel\"},\n{\"type\":\"portmap\"}, {\"type\": \"loopback\"}]}": "flannel bridge host-local portmap",
		`{"type": "bridge", "ipam": {"type":"host-local"}}`:                                           "bridge host-local",
		`{"type": "../../bin/sh"}`: "",
	} {
		cmd := exec.Command("awk", types)
		cmd.Stdin = strings.NewReader(conf)
		out, err := cmd.CombinedOutput()
		if got := strings.Join(strings.Fields(string(out)), " "); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", conf, got, err, want)
		}
	}
}
