// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What the runtimes print, shortened.
const (
	crictlInfo = `{"cniconfig":{"PluginConfDir":"/etc/cni/net.d","PluginDirs":["/opt/cni/bin"],"PluginMaxConfNum":1},
"config":{"cni":{"binDir":"","binDirs":["/usr/libexec/cni","/opt/cni/bin"],"confDir":"/etc/cni/live.d","maxConfNum":1},
"containerd":{"runtimes":{"runc":{"cniConfDir":"","io_type":""}}}},"golang":"go1.26.8","lastCNILoadStatus":"OK"}`
	containerd2 = `version = 4
[plugins]
  [plugins.'io.containerd.cri.v1.runtime']
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      cni_conf_dir = ''
    [plugins.'io.containerd.cri.v1.runtime'.cni]
      bin_dir = ''
      bin_dirs = ['/opt/cni/bin']
      conf_dir = '/etc/cni/two.d'
  [plugins.'io.containerd.image-verifier.v1.bindir']
    bin_dir = '/opt/containerd/image-verifier/bin'
`
	containerd1 = `version = 2
[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/home/kubernetes/bin"
      conf_dir = "/etc/cni/net.d"
`
	crioConfig = `# The crio.network table containers settings pertaining to the management of
# CNI plugins.
[crio.network]

# Path to the directory where CNI configuration files are located.
network_dir = "/etc/cni/crio.d/"

# Paths to directories where CNI plugin binaries are located.
plugin_dirs = [
	"/opt/cni/bin/",
	"/usr/libexec/cni",
]
`
	commandLines = "812 /usr/bin/cri-dockerd --network-plugin=cni --cni-conf-dir=/etc/cni/docker.d --cni-bin-dir=/opt/docker/bin,/opt/cni/bin --container-runtime-endpoint fd://\n"
)

func TestCNIDirectories(t *testing.T) {
	for name, tt := range map[string]struct{ out, confs, bins string }{
		"crictl info":   {crictlInfo, "/etc/cni/live.d", "/usr/libexec/cni"},
		"containerd 2":  {containerd2, "/etc/cni/two.d", ""},
		"containerd 1":  {containerd1, "", "/home/kubernetes/bin"},
		"CRI-O":         {crioConfig, "/etc/cni/crio.d", "/usr/libexec/cni"},
		"command lines": {commandLines, "/etc/cni/docker.d", "/opt/docker/bin"},
		"noise":         {"FATA[0000] unable to determine runtime API version", "", ""},
	} {
		confs, bins := cniDirectories([]answer{{out: []byte(tt.out)}})
		if got := strings.Join(confs[len(confDirs):], " "); got != tt.confs {
			t.Errorf("%s: configuration directories %q beside the usual, want %q", name, got, tt.confs)
		}
		if got := strings.Join(bins[len(binDirs):], " "); got != tt.bins {
			t.Errorf("%s: plugin directories %q beside the usual, want %q", name, got, tt.bins)
		}
	}
	if confs, _ := cniDirectories([]answer{{out: []byte(containerd2), code: 1}}); len(confs) != len(confDirs) {
		t.Errorf("directories of a command that failed: %v", confs)
	}
}

func TestPlugins(t *testing.T) {
	for configuration, want := range map[string]string{
		`{"cniVersion":"0.3.1","name":"cbr0","plugins":[{"type":"flannel","delegate":{"isDefaultGateway":true}},{"type":"portmap"}]}`: "flannel portmap",
		`{"type":"bridge","ipam":{"type":"host-local"}}`:                                        "bridge host-local",
		`{"plugins":[{"type":"calico","policy":{"type":"k8s"},"ipam":{"type":"calico-ipam"}}]}`: "calico calico-ipam",
		`{"plugins":[{"type":"../../bin/sh"},{"type":""}]}`:                                     "",
		`{"plugins":[`: "",
	} {
		if got := strings.Join(plugins([]byte(configuration)), " "); got != want {
			t.Errorf("plugins of %s = %q, want %q", configuration, got, want)
		}
	}
}

func TestUnits(t *testing.T) {
	// systemctl show --property=Id,LoadState of systemd 252.
	const shown = "Id=containerd.service\nLoadState=loaded\n\nId=docker.service\nLoadState=not-found\n\nId=cri-docker.service\nLoadState=masked\n"
	for unit, want := range map[string]bool{"containerd.service": true, "docker.service": false, "cri-docker.service": true, "crio.service": true} {
		if got := isLoaded(shown, unit); got != want {
			t.Errorf("isLoaded(%s) = %t, want %t", unit, got, want)
		}
	}
	for _, log := range runtimeLogs {
		if !strings.HasSuffix(log.file, strings.TrimSuffix(unitOf(log), ".service")+".log") {
			t.Errorf("unit of %q is %s, its file %s", log.line, unitOf(log), log.file)
		}
	}
}

func TestEventTable(t *testing.T) {
	at := func(minute int) metav1.Time {
		return metav1.NewTime(time.Date(2026, 11, 22, 14, minute, 0, 0, time.UTC))
	}
	text := eventTable([]corev1.Event{
		{LastTimestamp: at(9), Count: 4, Type: "Warning", Reason: "BackOff", InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "b"}, Message: "two\nlines", Source: corev1.EventSource{Component: "kubelet"}},
		{EventTime: metav1.NewMicroTime(at(3).Time), Type: "Normal", Reason: "Scheduled", ReportingController: "default-scheduler", InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "a"}},
		{FirstTimestamp: at(1), Series: &corev1.EventSeries{Count: 7, LastObservedTime: metav1.NewMicroTime(at(5).Time)}, Reason: "Series"},
	})
	lines := strings.Split(text, "\n")
	var order []string
	for _, line := range lines[1:4] {
		order = append(order, strings.Join(strings.Fields(line)[:2], " "))
	}
	if want := []string{"2026-11-22T14:03:00Z 1", "2026-11-22T14:05:00Z 7", "2026-11-22T14:09:00Z 4"}; !slices.Equal(order, want) {
		t.Errorf("events are %v, want %v", order, want)
	}
	if !strings.Contains(lines[3], "two lines") || !strings.Contains(lines[1], "default-scheduler") {
		t.Errorf("table:\n%s", text)
	}
}

func TestFileName(t *testing.T) {
	for text, want := range map[string]string{"worker-2.example": "worker-2.example", "a/b": "a_b", "..": "_..", "": "_", "node:1": "node_1"} {
		if got := fileName(text); got != want {
			t.Errorf("fileName(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestSteps: the guide's steps are all there and each says where its file is.
func TestSteps(t *testing.T) {
	all := Steps()
	seen := map[string]bool{}
	var commands strings.Builder
	for i, s := range all {
		if strings.HasPrefix(s.Collector, "test-") {
			continue
		}
		if i > 0 && s.Collector < all[i-1].Collector {
			t.Errorf("%s stands behind %s", s.Collector, all[i-1].Collector)
		}
		if s.Command == "" || s.Title == "" || s.Yields == "" {
			t.Errorf("step without command, title or file: %+v", s)
		}
		if seen[s.Command+s.Yields] {
			t.Errorf("step twice: %+v", s)
		}
		seen[s.Command+s.Yields] = true
		commands.WriteString(s.Command + "\n")
	}
	for _, step := range []string{
		"kubectl describe pod", "journalctl -u kubelet", "journalctl -u containerd", "journalctl -u docker", "journalctl -u cri-docker", "journalctl -u crio",
		"-l name=weave-net", "-l k8s-app=calico-node", "-l k8s-app=calico-typha", "calico-kube-controllers", "-l app=flannel", "-l k8s-app=cilium ", "io.cilium/app=operator",
		"-l k8s-app=kube-dns", "-l k8s-app=kube-proxy", "--previous", "/var/log", "dmesg", "ls -laR --time-style=full-iso <conf_dir>", "cat <conf_file>",
		"ip -d addr", "ip -4 route show table all", "ip -6 route show table all", "ip -4 rule", "ip neigh", "bridge fdb", "iptables-legacy-save -c",
		"iptables-nft-save -c", "ip6tables-nft-save -c", "nft list ruleset", "conntrack -S", "ss -tulpn", "sysctl -a", "tc -s qdisc", "subnet.env", "ipset list -t",
	} {
		if !strings.Contains(commands.String(), step) {
			t.Errorf("no step runs %q", step)
		}
	}
}

func TestRegisterRefuses(t *testing.T) {
	for name, c := range map[string]Collector{
		"no steps":        {Name: "x", Title: "x", Once: collectEvents},
		"gathers nothing": {Name: "x", Title: "x", Steps: []Step{{Command: "x"}}},
		"name taken":      {Name: "events", Title: "x", Steps: []Step{{Command: "x"}}, Once: collectEvents},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Register accepted a collector with: %s", name)
				}
			}()
			Register(c)
		}()
	}
}
