// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestFromEvent(t *testing.T) {
	for _, c := range []struct {
		reason, message string
		kind            Kind // empty: no trouble
	}{
		{"FailedCreatePodSandBox", `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "f86446": plugin type="calico" failed (add): stat /var/lib/calico/nodename: no such file or directory`, Network},
		{"FailedCreatePodSandBox", `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to set up sandbox container "6e4e86" network for pod "web1": networkPlugin cni failed to set up pod "web1_default" network: open /run/flannel/subnet.env: no such file or directory`, Network},
		{"FailedCreatePodSandBox", `Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = context deadline exceeded`, Network},
		{"FailedCreatePodSandBox", `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to reserve sandbox name "web_default_0": name "web_default_0" is reserved for "b7"`, Network},
		{"FailedCreatePodSandBox", `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to start sandbox "aa": failed to get sandbox image "registry.k8s.io/pause:3.10": failed to pull image "registry.k8s.io/pause:3.10": dial tcp 34.96.108.209:443: i/o timeout`, Image},
		{"FailedCreatePodSandBox", `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to start sandbox "aa": failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process`, Runtime},
		{"FailedCreatePodSandBox", `Failed to create pod sandbox: rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: connection refused"`, Runtime},
		{"NetworkNotReady", `network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized`, Network},
		{"FailedKillPod", `error killing pod: failed to "KillPodSandbox" for "cd90" with KillPodSandboxError: "rpc error: code = Unknown desc = failed to destroy network for sandbox \"9f62\": cni plugin not initialized"`, Network},
		{"FailedKillPod", `error killing pod: failed to "KillContainer" for "app" with KillContainerError: "rpc error: code = DeadlineExceeded desc = context deadline exceeded"`, Runtime},
		{"FailedScheduling", `0/3 nodes are available: 1 Insufficient memory, 2 node(s) didn't match Pod's node affinity/selector.`, Scheduling},
		{"FailedMount", `MountVolume.SetUp failed for volume "config" : configmap "x" not found`, Volume},
		{"Failed", `Failed to pull image "example.test/app:1": rpc error: code = NotFound`, Image},
		{"Failed", `Error: failed to create containerd container`, ""},
		{"BackOff", `Back-off pulling image "example.test/app:1"`, Image},
		{"BackOff", `Back-off restarting failed container app in pod web_default(cd90)`, ""},
		{"Unhealthy", `Readiness probe failed: Get "http://10.244.1.7:8080/": context deadline exceeded`, ""},
		{"Started", `Started container probe`, ""},
	} {
		got, ok := FromEvent(&corev1.Event{Reason: c.reason, Message: c.message})
		if ok != (c.kind != "") || got.Kind != c.kind {
			t.Errorf("%s %q\nis %q, wanted %q", c.reason, c.message, got.Kind, c.kind)
		}
	}
}

func TestFromEventCounts(t *testing.T) {
	for _, c := range []struct {
		event corev1.Event
		want  int
	}{
		{corev1.Event{Reason: "NetworkNotReady"}, 1},
		{corev1.Event{Reason: "NetworkNotReady", Count: 18}, 18},
		{corev1.Event{Reason: "NetworkNotReady", Series: &corev1.EventSeries{Count: 7}}, 7},
	} {
		if got, _ := FromEvent(&c.event); got.Count != c.want {
			t.Errorf("count %d, wanted %d", got.Count, c.want)
		}
	}
}
