// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Kind is where a trouble lies.
type Kind string

// Kinds.
const (
	Network    Kind = "network"    // the pod network could not be set up or torn down
	Runtime    Kind = "runtime"    // the sandbox failed for another reason of the container runtime
	Image      Kind = "image"      // an image, the sandbox's own or a container's, could not be had
	Scheduling Kind = "scheduling" // no node, or not that one, takes the pod
	Volume     Kind = "volume"     // a volume could not be mounted
)

// Trouble is what keeps a pod from starting or from ending.
type Trouble struct {
	Kind Kind
	// Reason is the event's or the status's, e.g. FailedCreatePodSandBox.
	Reason string
	// Message is as the event has it, in full.
	Message string
	// Count is how often it was seen.
	Count int

	event types.UID
}

func (t Trouble) String() string {
	if t.Count > 1 {
		return fmt.Sprintf("%s (x%d): %s", t.Reason, t.Count, t.Message)
	}
	return t.Reason + ": " + t.Message
}

// Reasons of events, from kubernetes/pkg/kubelet/events and the scheduler.
const (
	failedCreate     = "FailedCreatePodSandBox"
	failedStatus     = "FailedPodSandBoxStatus"
	failedKill       = "FailedKillPod"
	networkNotReady  = "NetworkNotReady"
	failedScheduling = "FailedScheduling"
)

// FromEvent is the trouble that an event of a pod tells of; false for an event
// that tells of none of these kinds.
func FromEvent(e *corev1.Event) (Trouble, bool) {
	t := Trouble{Reason: e.Reason, Message: strings.TrimSpace(e.Message), Count: max(int(e.Count), 1), event: e.UID}
	if e.Series != nil {
		t.Count = max(t.Count, int(e.Series.Count))
	}
	switch e.Reason {
	case failedCreate, failedStatus:
		t.Kind = kindOf(t.Message)
	case failedKill:
		// Containers that cannot be killed are no matter of the network.
		if t.Kind = Runtime; strings.Contains(t.Message, "KillPodSandbox") {
			t.Kind = kindOf(t.Message)
		}
	case networkNotReady:
		t.Kind = Network
	case failedScheduling:
		t.Kind = Scheduling
	case "FailedMount", "FailedAttachVolume":
		t.Kind = Volume
	case "ErrImageNeverPull", "InspectFailed":
		t.Kind = Image
	case "Failed", "BackOff":
		if !strings.Contains(t.Message, "image") {
			return Trouble{}, false
		}
		t.Kind = Image
	default:
		return Trouble{}, false
	}
	return t, true
}

// The words of containerd, CRI-O and dockershim. The network's are looked for
// first but for the sandbox image, whose pull may fail with words of a network
// that is not the pods'.
var (
	imageWords   = regexp.MustCompile(`(?i)(get|pull|pulling) (sandbox |pause |infra )?image|failed to resolve reference|ImagePull`)
	networkWords = regexp.MustCompile(`(?i)network|\bcni\b|plugin type=|ipam|failed to reserve sandbox name|name is reserved`)
	runtimeWords = regexp.MustCompile(`(?i)OCI runtime|runc|\bshim\b|cgroup|containerd\.sock|crio\.sock|docker(d)?\.sock|no runtime for|apparmor|seccomp|selinux`)
)

// kindOf tells what a sandbox failed for by the runtime's words. What it does
// not know, such as a deadline that passed without a word, counts as the
// network: making the network is what takes time in making a sandbox.
func kindOf(message string) Kind {
	switch {
	case imageWords.MatchString(message):
		return Image
	case networkWords.MatchString(message):
		return Network
	case runtimeWords.MatchString(message):
		return Runtime
	}
	return Network
}

// imageReasons are the kubelet's reasons of a container that waits for its
// image (kubernetes/pkg/kubelet/images/types.go).
var imageReasons = []string{"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"}

// FromStatus is the trouble that a pod's own status tells of.
func FromStatus(pod *corev1.Pod) (Trouble, bool) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return Trouble{Kind: Scheduling, Reason: c.Reason, Message: c.Message, Count: 1}, true
		}
	}
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if w := c.State.Waiting; w != nil && slices.Contains(imageReasons, w.Reason) {
			return Trouble{Kind: Image, Reason: w.Reason, Message: w.Message, Count: 1}, true
		}
	}
	return Trouble{}, false
}
