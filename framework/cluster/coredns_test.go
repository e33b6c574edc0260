// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// kubeadmCorefile is the one kubeadm v1.36 writes.
const kubeadmCorefile = `.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
`

func addrs(words ...string) (all []netip.Addr) {
	for _, word := range words {
		all = append(all, netip.MustParseAddr(word))
	}
	return all
}

func TestForwardTo(t *testing.T) {
	one, err := forwardTo(kubeadmCorefile, addrs("172.18.0.5"))
	if err != nil || one != strings.Replace(kubeadmCorefile, "/etc/resolv.conf", "172.18.0.5", 1) {
		t.Errorf("wanted only the forward line changed, observed %v\n%s", err, one)
	}
	if two, err := forwardTo(one, addrs("172.18.0.9", "fc00::9")); err != nil || !strings.Contains(two, "    forward . 172.18.0.9 fc00::9 {\n") {
		t.Errorf("wanted the servers replaced, observed %v\n%s", err, two)
	}
	if same, err := forwardTo(one, addrs("172.18.0.5")); err != nil || same != one {
		t.Errorf("wanted no change, observed %v\n%s", err, same)
	}
	if short, err := forwardTo(".:53 {\n  forward . 8.8.8.8 1.1.1.1\n}\n", addrs("172.18.0.5")); err != nil || short != ".:53 {\n  forward . 172.18.0.5\n}\n" {
		t.Errorf("wanted a line without a block changed, observed %v\n%s", err, short)
	}
	if _, err := forwardTo(".:53 {\n  errors\n}\n", addrs("172.18.0.5")); err == nil {
		t.Error("wanted an error for a Corefile that forwards nothing")
	}
}

func TestForwardCoreDNS(t *testing.T) {
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceSystem}
	}
	client := fake.NewClientset(
		&corev1.ConfigMap{ObjectMeta: meta(coreDNS), Data: map[string]string{"Corefile": kubeadmCorefile}},
		&corev1.Service{ObjectMeta: meta("kube-dns"), Spec: corev1.ServiceSpec{IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol}}},
		&appsv1.Deployment{ObjectMeta: meta(coreDNS)},
	)
	restarted := func() string {
		d, err := client.AppsV1().Deployments(metav1.NamespaceSystem).Get(t.Context(), coreDNS, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return d.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"]
	}
	if err := forwardCoreDNS(t.Context(), client, addrs("fc00::5")); err == nil {
		t.Error("wanted an error: pods without IPv6 cannot ask there")
	}
	if restarted() != "" {
		t.Error("wanted no restart without a change")
	}
	if err := forwardCoreDNS(t.Context(), client, addrs("172.18.0.5", "fc00::5")); err != nil {
		t.Fatal(err)
	}
	cm, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(t.Context(), coreDNS, metav1.GetOptions{})
	if err != nil || !strings.Contains(cm.Data["Corefile"], "forward . 172.18.0.5 {") {
		t.Errorf("wanted the server of the pods' family, observed %v\n%s", err, cm.Data["Corefile"])
	}
	if restarted() == "" {
		t.Error("wanted a restart, for CoreDNS does not know yet")
	}
}

func TestCoreDNSReady(t *testing.T) {
	two, none := int32(2), int32(0)
	for name, test := range map[string]struct {
		d     appsv1.Deployment
		ready bool
	}{
		"ready":          {appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &two}, Status: appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2}}, true},
		"one is not":     {appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &two}, Status: appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 1}}, false},
		"an old one":     {appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &two}, Status: appsv1.DeploymentStatus{Replicas: 3, UpdatedReplicas: 2, AvailableReplicas: 2}}, false},
		"scaled to zero": {appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &none}}, false},
	} {
		test.d.Name, test.d.Namespace = coreDNS, metav1.NamespaceSystem
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err := coreDNSReady(ctx, fake.NewClientset(&test.d))
		cancel()
		if (err == nil) != test.ready {
			t.Errorf("%s: wanted ready %t, observed %v", name, test.ready, err)
		}
	}
}
