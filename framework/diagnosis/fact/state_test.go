// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"net/netip"
	"strings"
	"testing"
)

const ipAddr = `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00 promiscuity 0
    inet 127.0.0.1/8 scope host lo
2: flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN group default
    link/ether ca:b0:9c:5c:39:64 brd ff:ff:ff:ff:ff:ff promiscuity 0
    vxlan id 1 local 172.18.0.3 dev eth0 srcport 0 0 dstport 8472 nolearning ttl auto ageing 300 udpcsum
    inet 10.244.2.0/32 scope global flannel.1
3: cni0: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1450 qdisc noqueue state DOWN group default qlen 1000
    bridge forward_delay 1500
    inet 10.244.2.1/24 brd 10.244.2.255 scope global cni0
4: vethd4a1f4b2@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue master cni0 state UP group default
    veth bridge_slave state forwarding
`

func TestLinks(t *testing.T) {
	f := gather(map[string]string{"nodes/w2/network/ip-addr.txt": ipAddr, "nodes/w2/network/ip-link.txt": "2: flannel.1: <BROADCAST> mtu 1400 state DOWN\n",
		"nodes/w2/network/pod-addr.txt": "2: eth0@if4: <BROADCAST,UP> mtu 9000 qdisc noqueue state UP\n"})
	byName := map[string]Link{}
	for _, l := range f.Links {
		if l.Quote.File == "nodes/w2/network/ip-addr.txt" {
			byName[l.Name] = l
		}
		if l.MTU == 9000 {
			t.Error("a pod's interface was taken for the node's")
		}
	}
	vxlan := byName["flannel.1"]
	if vxlan.Kind != "vxlan" || vxlan.Port != 8472 || vxlan.MTU != 1450 || vxlan.Overhead() != 50 || !vxlan.Overlay() || vxlan.Node != "w2" || vxlan.Quote.Line != 4 {
		t.Errorf("%+v", vxlan)
	}
	if bridge := byName["cni0"]; bridge.Kind != "bridge" || !bridge.Up || bridge.Carrier {
		t.Errorf("%+v", bridge)
	}
	if veth := byName["vethd4a1f4b2"]; veth.Master != "cni0" || !veth.Pod() || veth.Index != 4 {
		t.Errorf("%+v", veth)
	}
	if len(f.Addrs) != 3 || f.Addrs[2].Prefix != netip.MustParsePrefix("10.244.2.1/24") || f.Addrs[2].Link != "cni0" {
		t.Errorf("%+v", f.Addrs)
	}
}

func TestRoutes(t *testing.T) {
	f := gather(map[string]string{"nodes/w/route.txt": `unicast default via 172.18.0.1 dev eth0 table main proto boot scope global
10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink
blackhole 192.168.9.128/26 table main proto 80 scope global
unicast 192.168.71.0/26 via 192.168.71.4 dev vxlan.calico table main proto boot scope global onlink mtu 1500
local 127.0.0.1 dev lo table local proto kernel scope host src 127.0.0.1
10.244.7.0/24 dev gone scope link dead linkdown
192.168.9.134 dev cali1 lladdr e2:1d:a7:f5:43:a7 REACHABLE
10.0.0.1 is an address in a sentence
`, "nodes/w/x.txt": "x"})
	if len(f.Routes) != 6 {
		t.Fatalf("%d routes: %+v", len(f.Routes), f.Routes)
	}
	for addr, wanted := range map[string]string{"10.244.0.9": "flannel.1", "8.8.8.8": "eth0", "192.168.71.9": "vxlan.calico", "10.244.7.1": "eth0"} {
		if r, _ := f.RouteTo("w", netip.MustParseAddr(addr)); r.Dev != wanted {
			t.Errorf("%s goes to %q, wanted %q", addr, r.Dev, wanted)
		}
	}
	if r, known := f.RouteTo("w", netip.MustParseAddr("192.168.9.130")); !known || r.Kind != "blackhole" {
		t.Errorf("%+v", r)
	}
	if f.Routes[3].MTU != 1500 {
		t.Errorf("the route's MTU is %d", f.Routes[3].MTU)
	}
}

func TestSysctlsUnitsAndCounters(t *testing.T) {
	f := gather(map[string]string{"nodes/w/sysctl.txt": "net.ipv4.ip_forward = 0\nnet.ipv4.conf.eth0/100.rp_filter = 1\nkernel.x = 1\n",
		"nodes/w/services.txt": "● containerd.service - containerd container runtime\n     Loaded: loaded (/etc/systemd/system/containerd.service; enabled)\n     Active: failed (Result: exit-code) since Sun\n",
		"nodes/w/nstat.txt":    "#kernel\nIpForwDatagrams                 12                 0.0\nTcpExtIPReversePathFilter       3                  0.0\n"})
	if s, ok := f.Sysctl("w", "net.ipv4.ip_forward"); !ok || s.Value != "0" || len(f.Sysctls) != 2 {
		t.Errorf("%+v", f.Sysctls)
	}
	if len(f.Units) != 1 || f.Units[0].Name != "containerd.service" || f.Units[0].Active != "failed" {
		t.Errorf("%+v", f.Units)
	}
	if len(f.Counters) != 2 || f.Counters[1].Value != 3 {
		t.Errorf("%+v", f.Counters)
	}
}

func TestNetworkConfigs(t *testing.T) {
	good := "{\n \"name\": \"cbr0\",\n \"cniVersion\": \"0.3.1\",\n \"plugins\": [{\"type\": \"flannel\", \"mtu\": 1400}, {\"type\": \"portmap\"}]\n}\n"
	f := gather(map[string]string{
		"nodes/a/files/etc/cni/net.d/10-flannel.conflist": good,
		"nodes/b/files/etc/cni/net.d/10-flannel.conflist": "{\n \"name\": \"cbr0\",\n \"plugins\": [{\"type\": \"flannel\" {\n}\n",
		"nodes/c/files/etc/cni/net.d/10-bridge.conf":      "{\n \"name\": \"b\",\n \"type\": \"bridge\",\n \"ipam\": {\"type\": \"host-local\"}\n}\n",
		"nodes/d/files/etc/cni/net.d/10-x.conf":           "{\n \"cniVersion\": \"0.3.1\"\n}\n",
		"nodes/e/cni.txt":                                 "=== /etc/cni/net.d/10-weave.conflist\n" + good,
		"nodes/a/runtime/crictl-info.json":                "{\n \"type\": \"no configuration\"\n}\n",
		"nodes/a/cni/versions/flannel.json":               `{"cniVersion":"0.4.0","supportedVersions":["0.3.1","0.4.0"]}`,
	})
	byNode := map[string]NetworkConfig{}
	for _, c := range f.Configs {
		byNode[c.Node] = c
	}
	if len(f.Configs) != 5 {
		t.Errorf("%d configurations: %+v", len(f.Configs), f.Configs)
	}
	if c := byNode["a"]; c.Err != nil || c.Path != "/etc/cni/net.d/10-flannel.conflist" || strings.Join(c.Plugins, " ") != "flannel portmap" || c.MTU != 1400 {
		t.Errorf("%+v", c)
	}
	if c := byNode["b"]; c.Err == nil {
		t.Error("broken JSON was taken for a configuration")
	}
	if c := byNode["c"]; c.Err != nil || strings.Join(c.Plugins, " ") != "bridge host-local" {
		t.Errorf("%+v", c)
	}
	if c := byNode["d"]; c.Err == nil || !strings.Contains(c.Err.Error(), "plugins") {
		t.Errorf("no plugins: %v", c.Err)
	}
	if c := byNode["e"]; c.Err != nil || c.Quote.Line != 1 {
		t.Errorf("%+v", c)
	}
	if len(f.Plugins) != 1 || f.Plugins[0].Plugin != "flannel" || len(f.Plugins[0].Supported) != 2 {
		t.Errorf("%+v", f.Plugins)
	}
}

func TestDirs(t *testing.T) {
	f := gather(map[string]string{
		"nodes/a/listing/opt/cni/bin.txt":   "total 8\ndrwxr-xr-x 2 root root 4096 2026-11-22 16:09:03.166175183 +0000 .\n-rwxr-xr-x 1 root root 3498146 1970-01-01 00:00:00.000000000 +0000 bridge\nlrwxrwxrwx 1 root root 19 Nov 22 14:25 weave-net -> weave-plugin-latest\n",
		"nodes/a/listing/etc/cni/net.d.txt": "/etc/cni/net.d:\ntotal 0\ndrwx------ 1 root root 4096 Nov 22 14:47 .\n",
		"nodes/b/cni.txt":                   "ls: cannot access '/etc/cni/net.d': No such file or directory\n",
	})
	if len(f.Dirs) != 3 {
		t.Fatalf("%+v", f.Dirs)
	}
	for _, d := range f.Dirs {
		switch {
		case d.Node == "b" && !d.Missing,
			d.Path == "/opt/cni/bin" && strings.Join(d.Files, " ") != "bridge weave-net",
			d.Node == "a" && d.Path == "/etc/cni/net.d" && len(d.Files) > 0:
			t.Errorf("%+v", d)
		}
	}
}
