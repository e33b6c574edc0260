// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"

	"github.com/cniproof/cniproof/framework/config"
	kindconfigs "github.com/cniproof/cniproof/kind-configs"
)

func TestTopologies(t *testing.T) {
	for _, name := range []string{"default", "dual-stack", "ipv6", "single-node", "two-node", "host-gw"} {
		if !slices.Contains(kindconfigs.Topologies(), name) {
			t.Errorf("wanted the topology %s, observed %v", name, kindconfigs.Topologies())
		}
	}
	for _, name := range kindconfigs.Topologies() {
		topology, err := kindconfigs.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		var c v1alpha4.Cluster
		if err := yaml.UnmarshalStrict(topology.Cluster, &c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !c.Networking.DisableDefaultCNI {
			t.Errorf("%s: wanted disableDefaultCNI, for the CNI is installed by the harness", name)
		}
		if topology.CNI == "flannel" {
			sameRanges(t, name, c.Networking.PodSubnet, topology.Manifest)
		}
		if length := len("cniproof-" + name + "-abcdef-control-plane2"); length > 63 {
			t.Errorf("%s: wanted node names of at most 63 characters, observed %d", name, length)
		}
	}
	if _, err := kindconfigs.Load("nowhere"); err == nil || !strings.Contains(err.Error(), "default") {
		t.Errorf("wanted an error that lists the topologies, observed %v", err)
	}
}

// sameRanges compares flannel's net-conf.json with a topology's podSubnet.
func sameRanges(t *testing.T, name, podSubnet string, manifest []byte) {
	t.Helper()
	found := regexp.MustCompile(`(?s)net-conf\.json: \|\n(.*?)\n---`).FindSubmatch(manifest)
	if found == nil {
		t.Fatalf("%s: wanted a net-conf.json, observed\n%s", name, manifest)
	}
	var conf struct {
		EnableIPv4, EnableIPv6 bool
		Network, IPv6Network   string
		Backend                struct{ Type string }
	}
	if err := json.Unmarshal(found[1], &conf); err != nil {
		t.Fatalf("%s: %v in\n%s", name, err, found[1])
	}
	subnets := []string{}
	if conf.EnableIPv4 {
		subnets = append(subnets, conf.Network)
	}
	if conf.EnableIPv6 {
		subnets = append(subnets, conf.IPv6Network)
	}
	if strings.Join(subnets, ",") != podSubnet || conf.Backend.Type == "" {
		t.Errorf("%s: wanted flannel to have the podSubnet %s and a backend, observed %+v", name, podSubnet, conf)
	}
}

func TestHostPatch(t *testing.T) {
	topology, err := kindconfigs.Load("default")
	if err != nil {
		t.Fatal(err)
	}
	var plain v1alpha4.Cluster
	if err := yaml.UnmarshalStrict(topology.Cluster, &plain); err != nil {
		t.Fatal(err)
	}
	patch := func(h host) (v1alpha4.Cluster, []string) {
		text, names, err := h.patch(plain)
		if err != nil {
			t.Fatal(err)
		}
		var c v1alpha4.Cluster
		if err := yaml.UnmarshalStrict(text, &c); err != nil {
			t.Fatal(err)
		}
		if len(c.Nodes) != 3 || c.Networking.PodSubnet != "10.244.0.0/16" {
			t.Errorf("wanted the topology kept, observed\n%s", text)
		}
		return c, names
	}
	if c, names := patch(host{}); len(c.KubeadmConfigPatches)+len(c.ContainerdConfigPatches)+len(names) != 0 {
		t.Errorf("normal host: wanted no patches, observed %v", names)
	}
	c, names := patch(host{cgroupV1: true, missingCaps: []string{"CAP_SYS_RESOURCE"}})
	if !slices.Equal(names, []string{"cgroup-v1", "missing-capabilities"}) {
		t.Errorf("wanted both patches, observed %v", names)
	}
	if len(c.KubeadmConfigPatches) != 1 || !strings.Contains(c.KubeadmConfigPatches[0], "failCgroupV1: false") {
		t.Errorf("wanted a kubelet that accepts cgroup v1, observed %q", c.KubeadmConfigPatches)
	}
	if len(c.ContainerdConfigPatches) != 2 || !strings.Contains(c.ContainerdConfigPatches[0], "restrict_oom_score_adj = true") {
		t.Errorf("wanted a patch per version of containerd's configuration, observed %q", c.ContainerdConfigPatches)
	}
}

func TestFreeRange(t *testing.T) {
	address := func(cidr string) net.Addr {
		ip, network, err := net.ParseCIDR(cidr)
		if err != nil {
			t.Fatal(err)
		}
		return &net.IPNet{IP: ip, Mask: network.Mask}
	}
	others := []net.Addr{address("172.19.0.1/16"), address("fe80::1/64"), address("fd00::2/64")}
	for wanted, taken := range map[string][]net.Addr{
		"fc00:f853:ccd:e793::/64": others,
		"fc00:f853:ccd:e795::/64": append(others, address("fc00:f853:ccd:e794::1/64"), address("fc00:f853:ccd:e793::1/64")),
	} {
		if observed := freeRange(taken).String(); observed != wanted {
			t.Errorf("%v: wanted %s, observed %s", taken, wanted, observed)
		}
	}
}

// inspected are the containers of the cluster of testdata/flannel.yaml.
func inspected(t *testing.T) []container {
	t.Helper()
	all, err := parseContainers([]byte(testdata(t, "docker-inspect.json")))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSameRuns(t *testing.T) {
	recorded := func() (runs []containerRun) {
		for _, c := range inspected(t) {
			runs = append(runs, containerRun{Name: c.Name, ID: c.ID, Started: c.State.StartedAt})
		}
		return runs
	}()
	for name, test := range map[string]struct {
		change func([]container) []container
		wanted string
	}{
		"unchanged": {func(c []container) []container { return c }, ""},
		"gone":      {func(c []container) []container { return c[:2] }, "worker2 is gone"},
		"stopped": {func(c []container) []container {
			c[1].State.Running, c[1].State.Status = false, "exited"
			return c
		}, "worker does not run: it is exited"},
		"restarted": {func(c []container) []container {
			c[0].State.StartedAt = "2026-11-22T17:00:00.1Z"
			return c
		}, "control-plane was stopped and started"},
	} {
		err := sameRuns(recorded, test.change(inspected(t)))
		if (err == nil) != (test.wanted == "") || err != nil && !strings.Contains(err.Error(), test.wanted) {
			t.Errorf("%s: wanted %q, observed %v", name, test.wanted, err)
		}
	}
}

func TestMatchNodes(t *testing.T) {
	nodes := func() (nodes []corev1.Node) {
		for _, object := range decode(t, testdata(t, "flannel.yaml")) {
			if node, ok := object.(*corev1.Node); ok {
				nodes = append(nodes, *node)
			}
		}
		return nodes
	}
	name, err := kindCluster(nodes())
	if err != nil || name != "cniproof-default-6bydoq" {
		t.Errorf("wanted the cluster of the provider IDs, observed %q, %v", name, err)
	}
	access, err := matchNodes(nodes(), inspected(t))
	if err != nil || len(access) != 3 || access["cniproof-default-6bydoq-worker2"] == "" {
		t.Errorf("wanted three containers, observed %v, %v", access, err)
	}
	foreign := nodes()
	foreign[1].Status.Addresses[0].Address = "172.18.0.99"
	if _, err := matchNodes(foreign, inspected(t)); err == nil || !strings.Contains(err.Error(), "wanted address 172.18.0.99") {
		t.Errorf("wanted a node of the same name elsewhere told apart, observed %v", err)
	}
	cloud := nodes()
	cloud[2].Spec.ProviderID = "aws:///eu-west-1a/i-0123"
	if _, err := kindCluster(cloud); err == nil {
		t.Error("wanted no kind cluster where a node is none of its")
	}
	down := inspected(t)
	down[0].State.Running = false
	if _, err := matchNodes(nodes(), down); err == nil {
		t.Error("wanted no access to a container that does not run")
	}
	wanted := []netip.Addr{netip.MustParseAddr("172.18.0.4"), netip.MustParseAddr("fc00:f853:ccd:e793::4")}
	if addrs := inspected(t)[0].addrs(); !slices.Equal(addrs, wanted) {
		t.Errorf("addresses: wanted %v, observed %v", wanted, addrs)
	}
}

func TestRecords(t *testing.T) {
	t.Setenv("CNIPROOF_HOME", t.TempDir())
	s, err := openStore()
	if err != nil {
		t.Fatal(err)
	}
	a := record{Name: "cniproof-a-1", Topology: "a", Ready: true, Containers: []containerRun{{ID: "2"}, {ID: "1"}}}
	half := record{Name: "cniproof-b-1", Topology: "b", Containers: []containerRun{{ID: "3"}}}
	for _, r := range []record{half, a} {
		if err := s.save(r); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := s.list(""); err != nil || len(all) != 2 || all[0].Name != a.Name {
		t.Errorf("wanted both records by name, observed %v, %v", all, err)
	}
	if r, owned, err := s.owner([]string{"1", "2"}); err != nil || !owned || r.Name != a.Name {
		t.Errorf("wanted the owner of its containers, observed %v, %t, %v", r, owned, err)
	}
	for _, ids := range [][]string{{"1"}, {"1", "2", "3"}, {"3"}, nil} {
		if r, owned, _ := s.owner(ids); owned {
			t.Errorf("%v: wanted no owner, observed %s", ids, r.Name)
		}
	}
	if err := os.WriteFile(s.kubeconfig(a.Name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.remove(a.Name); err != nil {
			t.Error(err)
		}
	}
	if left, _ := s.list("a"); len(left) != 0 {
		t.Errorf("wanted no record of a, observed %v", left)
	}
	if _, err := os.Stat(s.kubeconfig(a.Name)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("wanted no kubeconfig, observed %v", err)
	}
}

func TestMakesModules(t *testing.T) {
	s := store{dir: t.TempDir()}
	there, absent := t.TempDir(), filepath.Join(t.TempDir(), "modules")
	ask := func(dir string, want bool) {
		t.Helper()
		if got, err := s.makesModules(dir); err != nil || got != want {
			t.Errorf("made %t, err %v, wanted %t", got, err, want)
		}
	}
	ask(absent, true)
	ask(there, false)
	if err := s.save(record{Name: "a", MadeModules: true}); err != nil {
		t.Fatal(err)
	}
	ask(there, true) // a's, and to outlive a
}

func TestRecordLock(t *testing.T) {
	s := store{dir: t.TempDir()}
	waited := 0
	wait := func() { waited++ }
	unlock, err := s.lock(t.Context(), "a", wait)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.lock(ctx, "a", wait); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wanted a second one to wait for the first, observed %v", err)
	}
	if other, err := s.lock(t.Context(), "b", wait); err != nil {
		t.Error(err)
	} else {
		other()
	}
	unlock()
	if waited != 1 {
		t.Errorf("wanted to be told once that it waits, observed %d times", waited)
	}
	if again, err := s.lock(t.Context(), "a", wait); err != nil {
		t.Error(err)
	} else {
		again()
	}
}

func TestUnknownTopology(t *testing.T) {
	_, err := newPlan(t.Context(), KindOptions{Topology: "nowhere"})
	var problem *config.Problem
	if !errors.As(err, &problem) || !strings.Contains(problem.Do, "default") {
		t.Errorf("wanted a problem that lists the topologies, observed %v", err)
	}
}

func TestKindLogger(t *testing.T) {
	var out bytes.Buffer
	l := &kindLogger{steps: &steps{w: &out}}
	l.V(0).Infof("Creating cluster %q ...\n", "a")
	l.V(0).Infof(" • %s  ...\n", "Preparing nodes 📦 📦 ")
	l.V(0).Infof(" ✓ %s\n", "Preparing nodes 📦 📦 ")
	l.V(0).Infof(" • %s  ...\n", "Starting control-plane 🕹️")
	l.V(0).Infof(" ✗ %s\n", "Starting control-plane 🕹️")
	l.V(1).Info("details")
	l.Warn("odd")
	wanted := regexp.MustCompile(`^cluster: kind: preparing nodes: done in 0\.0s
cluster: kind: starting control-plane: failed after 0\.0s
cluster: kind warns: odd
$`)
	if !wanted.MatchString(out.String()) {
		t.Errorf("observed\n%s", out.String())
	}
}
