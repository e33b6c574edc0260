// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// coreDNS is the name of the ConfigMap and Deployment kubeadm makes.
const coreDNS = "coredns"

// forwardLine is the Corefile's forward plugin for all names: "forward . TO..."
// (CoreDNS, plugin/forward).
var forwardLine = regexp.MustCompile(`(?m)^([ \t]*forward[ \t]+\.[ \t]+)([^{\n]*?)([ \t]*\{?[ \t]*)$`)

// forwardTo returns the Corefile with every name that is not the cluster's
// forwarded to servers.
func forwardTo(corefile string, servers []netip.Addr) (string, error) {
	if !forwardLine.MatchString(corefile) {
		return "", fmt.Errorf("find the forward plugin in the Corefile: wanted a line \"forward . ...\", observed\n%s", corefile)
	}
	words := make([]string, len(servers))
	for i, server := range servers {
		words[i] = server.String()
	}
	return forwardLine.ReplaceAllString(corefile, "${1}"+strings.Join(words, " ")+"${3}"), nil
}

// forwardCoreDNS makes CoreDNS ask servers, those of an address family its pods
// have, for names outside of the cluster. It restarts CoreDNS when that is new
// to it: the reload plugin would take most of a minute to notice.
func forwardCoreDNS(ctx context.Context, client kubernetes.Interface, servers []netip.Addr) error {
	maps := client.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	cm, err := maps.Get(ctx, coreDNS, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("read CoreDNS's configuration: %w", err)
	}
	service, err := client.CoreV1().Services(metav1.NamespaceSystem).Get(ctx, "kube-dns", metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("read the Service of CoreDNS: %w", err)
	}
	reachable := slices.DeleteFunc(slices.Clone(servers), func(server netip.Addr) bool {
		return !slices.Contains(service.Spec.IPFamilies, familyOf(server))
	})
	if len(reachable) == 0 {
		return fmt.Errorf("choose a name server for CoreDNS: wanted one of %v, observed %v", service.Spec.IPFamilies, servers)
	}
	corefile, err := forwardTo(cm.Data["Corefile"], reachable)
	if err != nil || corefile == cm.Data["Corefile"] {
		return err
	}
	cm.Data["Corefile"] = corefile
	if _, err := maps.Update(ctx, cm, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("write CoreDNS's configuration: %w", err)
	}
	// As kubectl rollout restart does it.
	restart := fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":%q}}}}}`, time.Now().Format(time.RFC3339))
	_, err = client.AppsV1().Deployments(metav1.NamespaceSystem).Patch(ctx, coreDNS, types.StrategicMergePatchType, []byte(restart), metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("restart CoreDNS: %w", err)
	}
	return nil
}

// scaleCoreDNS sets the number of CoreDNS's replicas and returns what it was.
func scaleCoreDNS(ctx context.Context, client kubernetes.Interface, replicas int32) (int32, error) {
	deployments := client.AppsV1().Deployments(metav1.NamespaceSystem)
	scale, err := deployments.GetScale(ctx, coreDNS, metav1.GetOptions{})
	if err != nil {
		return 0, fmt.Errorf("read the scale of CoreDNS: %w", err)
	}
	before := scale.Spec.Replicas
	scale.Spec.Replicas = replicas
	if _, err := deployments.UpdateScale(ctx, coreDNS, scale, metav1.UpdateOptions{}); err != nil {
		return 0, fmt.Errorf("scale CoreDNS to %d: %w", replicas, err)
	}
	return before, nil
}

// coreDNSReady waits until every replica of CoreDNS runs its latest
// configuration and is available.
func coreDNSReady(ctx context.Context, client kubernetes.Interface) error {
	return poll(ctx, func(ctx context.Context) error {
		d, err := client.AppsV1().Deployments(metav1.NamespaceSystem).Get(ctx, coreDNS, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("read the Deployment of CoreDNS: %w", err)
		}
		wanted := int32(1) // also where none is asked for: that is not ready
		if d.Spec.Replicas != nil {
			wanted = max(wanted, *d.Spec.Replicas)
		}
		status := d.Status
		if status.ObservedGeneration < d.Generation || status.UpdatedReplicas < wanted || status.AvailableReplicas < wanted || status.Replicas > wanted {
			return fmt.Errorf("CoreDNS: wanted %d replicas, observed %d in all, %d up to date, %d available", wanted, status.Replicas, status.UpdatedReplicas, status.AvailableReplicas)
		}
		return nil
	})
}
