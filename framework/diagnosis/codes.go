// SPDX-License-Identifier: Apache-2.0

package diagnosis

import "strings"

// Codes of probable causes, in the order of the guide.
const (
	CNIConfigMissing        Code = "CNI_CONFIG_MISSING"
	CNIConfigMalformed      Code = "CNI_CONFIG_MALFORMED"
	CNIVersionIncompatible  Code = "CNI_VERSION_INCOMPATIBLE"
	CNIBinaryMissing        Code = "CNI_BINARY_MISSING"
	CNIDaemonUnreachable    Code = "CNI_DAEMON_UNREACHABLE"
	CNIDaemonCrashLoop      Code = "CNI_DAEMON_CRASHLOOP"
	CNIAPIServerUnreachable Code = "CNI_APISERVER_UNREACHABLE"
	CNIUnauthorized         Code = "CNI_UNAUTHORIZED"
	CNICertInvalid          Code = "CNI_CERT_INVALID"
	IPAMExhausted           Code = "IPAM_EXHAUSTED"
	SubnetOverlap           Code = "SUBNET_OVERLAP"
	BridgeAddressConflict   Code = "BRIDGE_ADDRESS_CONFLICT"
	SandboxStale            Code = "SANDBOX_STALE"
	RuntimeDown             Code = "RUNTIME_DOWN"
	NodeRouteMissing        Code = "NODE_ROUTE_MISSING"
	NodeFirewallDrop        Code = "NODE_FIREWALL_DROP"
	IPForwardDisabled       Code = "IP_FORWARD_DISABLED"
	RPFilterStrict          Code = "RP_FILTER_STRICT"
	ConntrackFull           Code = "CONNTRACK_FULL"
	KernelModuleMissing     Code = "KERNEL_MODULE_MISSING"
	NodeIPChanged           Code = "NODE_IP_CHANGED"
	MTUMismatch             Code = "MTU_MISMATCH"
	NetworkPolicyBlocks     Code = "NETWORK_POLICY_BLOCKS"
	PodDNSMisconfigured     Code = "POD_DNS_MISCONFIGURED"
	CoreDNSDown             Code = "COREDNS_DOWN"
	CoreDNSMisconfigured    Code = "COREDNS_MISCONFIGURED"
	DNSUpstreamFailure      Code = "DNS_UPSTREAM_FAILURE"
	ServiceSelectorMismatch Code = "SERVICE_SELECTOR_MISMATCH"
	ServicePortMismatch     Code = "SERVICE_PORT_MISMATCH"
	KubeProxyDown           Code = "KUBE_PROXY_DOWN"
	KubeProxyMisconfigured  Code = "KUBE_PROXY_MISCONFIGURED"
	EgressBlocked           Code = "EGRESS_BLOCKED"
	IngressBlocked          Code = "INGRESS_BLOCKED"
	ProxyMisconfigured      Code = "PROXY_MISCONFIGURED"
	NotNetworkImagePull     Code = "NOT_NETWORK_IMAGE_PULL"
	NotNetworkScheduling    Code = "NOT_NETWORK_SCHEDULING"
	NotNetworkRuntime       Code = "NOT_NETWORK_RUNTIME"
	NotNetworkApplication   Code = "NOT_NETWORK_APPLICATION"
	// UnknownCause is the honest answer when the evidence does not decide.
	UnknownCause Code = "UNKNOWN"
)

// Network tells whether the cause is one of the network's.
func (c Code) Network() bool {
	return c != UnknownCause && !strings.HasPrefix(string(c), "NOT_NETWORK_")
}
