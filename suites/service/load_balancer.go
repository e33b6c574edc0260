// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// A Service of type LoadBalancer gets an ingress address, and it answers over
// TCP to a pod on every node and from every node's own network.
//
// Because a cloud may charge for it, one is created only with -load-balancer.
// Whether there is a controller shows in what becomes of the Service: within a
// few seconds a controller changes it (an address, a finalizer, a condition),
// and then it has minutes; where nobody does and no other Service of the type
// has an address, the check does not apply. What could fool it: a controller
// that says nothing until it is done.
//
// Turns red with: iptables -t raw -I PREROUTING -i cni0 -d <the ingress
// address> -p tcp --dport 81 -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "service.load-balancer",
	Title:    "a LoadBalancer Service gets an address and answers at it, from every node",
	Level:    check.Required,
	Requires: []string{"service.nodeport-cluster"},
	Attempt:  config.DefaultTimeouts().LoadBalancer,
	Converge: config.DefaultTimeouts().Attempt,
	Run: func(ctx context.Context, env *check.Env) error {
		if !env.LoadBalancer {
			return &check.NotApplicable{Lacks: "leave to create a LoadBalancer Service, which a cloud may charge for; give it with -load-balancer"}
		}
		ingress, err := provided(ctx, env)
		if err != nil {
			return err
		}
		var jobs []job.Job
		for _, i := range ingress {
			at := net.JoinHostPort(i.IP+i.Hostname, strconv.Itoa(workloads.ServicePortTCP))
			jobs = append(jobs, job.Job{ID: at, Kind: job.TCP, Address: at, Until: job.Answered, Within: env.Timeouts.Programmed})
		}
		return everywhere(ctx, env, fleet.Question{
			Jobs: func(probe.Pod) []job.Job { return jobs },
			Judge: func(from probe.Pod, answers fleet.Answers) error {
				var wrong []string
				for _, j := range jobs {
					if r := answers[j.ID]; !r.OK {
						wrong = append(wrong, j.ID+": "+said(r))
					}
				}
				if len(wrong) == 0 {
					return nil
				}
				return &check.Failure{
					Node: from.Node, Pods: []string{from.Namespace + "/" + from.Name},
					Wanted: "an answer at the load balancer's address", Observed: strings.Join(wrong, "; "),
				}
			},
		})
	},
})

// provided creates the Service and follows it until it has an address, or it is
// known that it gets none.
func provided(ctx context.Context, env *check.Env) ([]corev1.LoadBalancerIngress, error) {
	services := env.Cluster.Client.CoreV1().Services(env.Namespace)
	made, err := services.Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: "load-balancer-",
			Labels:       map[string]string{workloads.RunLabel: env.RunID, workloads.ManagedByLabel: workloads.ManagedBy},
		},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, Selector: map[string]string{workloads.ProbeLabel: workloads.AppPod},
			Ports: []corev1.ServicePort{{Name: "tcp", Port: workloads.ServicePortTCP, TargetPort: intstr.FromInt32(job.PortTCP)}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, &check.Inconclusive{Why: "the LoadBalancer Service could not be created", Err: err}
	}
	env.Cleanup("Service "+made.Name, func(ctx context.Context) error {
		if err := services.Delete(ctx, made.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete the Service %s: %w", made.Name, err)
		}
		return nil
	})
	changes, err := services.Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, made.Name).String(), ResourceVersion: made.ResourceVersion,
	})
	if err != nil {
		return nil, &check.Inconclusive{Why: "the LoadBalancer Service could not be followed", Err: err}
	}
	defer changes.Stop()
	taken := false
	for silence := time.After(env.Timeouts.Programmed); ; {
		select {
		case event, ok := <-changes.ResultChan():
			service, known := event.Object.(*corev1.Service)
			switch {
			case !ok:
				return nil, &check.Inconclusive{Why: "the watch of the LoadBalancer Service ended"}
			case known && len(service.Status.LoadBalancer.Ingress) > 0:
				return service.Status.LoadBalancer.Ingress, nil
			}
			taken = true
		case <-silence:
			if !taken && !anyProvided(ctx, env) {
				return nil, &check.NotApplicable{Lacks: "a controller for LoadBalancer Services: nobody took up " + made.Name + ", and no other has an address"}
			}
		case <-ctx.Done():
			return nil, &check.Failure{Wanted: "an ingress address for the LoadBalancer Service " + made.Name, Observed: "none within " + env.Timeouts.LoadBalancer.String()}
		}
	}
}

// anyProvided tells whether some Service of the cluster got an address from a
// load balancer.
func anyProvided(ctx context.Context, env *check.Env) bool {
	list, err := env.Cluster.Client.CoreV1().Services(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	return err == nil && slices.ContainsFunc(list.Items, func(s corev1.Service) bool {
		return s.Spec.Type == corev1.ServiceTypeLoadBalancer && len(s.Status.LoadBalancer.Ingress) > 0
	})
}
