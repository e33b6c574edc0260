// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	jwt    = "eyJhbGciOiJSUzI1NiIsImtpZCI6IkxyUSJ9.eyJpc3MiOiJrdWJlcm5ldGVzL3NlcnZpY2VhY2NvdW50In0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
	keyPEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA0Z3VS5JJcds3xfn/ygWyF8PbnGy0AHB7MhgHcTz6sE2I2yPB\naFDrBz9vFqU4zK9T4y0yVwYh0n9wq1YJ5l8Rkw==\n-----END RSA PRIVATE KEY-----\n"
	key64  = "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpNSUlFb3dJQkFBS0NBUUVBMFozVlM1SkpjZHMzeGZuCg=="
	cert64 = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSURCVENDQWUyZ0F3SUJBZ0lJ"
)

// secretTexts are secrets of each kind where they really occur: want must be
// what stays, gone must not be in it.
var secretTexts = []struct {
	name, text, want string
	gone             []string
}{
	{"token of a CNI kubeconfig", "    token: \"" + jwt + "\"\n", "    token: <redacted>\n", []string{jwt}},
	{"token without quotes", "    token: abcdef.0123456789abcdef", "    token: <redacted>", nil},
	{"kubeconfig in a CNI configuration", `{"type":"calico","kubeconfig":"apiVersion: v1\nusers:\n- name: calico\n  user:\n    token: s3cr3tvalue\n    client-key-data: ` + key64 + `\ncontexts: []\n","mtu":1450}`, "", []string{"s3cr3tvalue", key64}},
	{"kubeconfig with quotes in a CNI configuration", `{"kubeconfig":"users:\n- user:\n    token: \"s3cr3tvalue\"\n    password: \"hunter2hunter\"\n"}`, `{"kubeconfig":"users:\n- user:\n    token: \"<redacted>\"\n    password: \"<redacted>\"\n"}`, nil},
	{"whole kubeconfig as base64", "kubeconfig: YXBpVmVyc2lvbjogdjEKa2luZDogQ29uZmlnCmNsdXN0ZXJzOgotIGNsdXN0ZXI6Cg==", "kubeconfig: <redacted>", nil},
	{"client-key-data", "    client-key-data: " + key64, "    client-key-data: <redacted>", nil},
	{"key data without its name", "x " + key64 + " y", "x <redacted> y", nil},
	{"private key", keyPEM, "", []string{"MIIEow", "aFDrBz"}},
	{"private key in YAML", "  tls.key: |\n    " + strings.ReplaceAll(keyPEM, "\n", "\n    "), "", []string{"MIIEow", "aFDrBz"}},
	{"private key in a JSON string", `{"k":"` + strings.ReplaceAll(keyPEM, "\n", `\n`) + `","mtu":1450}`, `{"k":"-----BEGIN RSA PRIVATE KEY-----<redacted>-----END RSA PRIVATE KEY-----\n","mtu":1450}`, nil},
	{"private key with journal prefixes", "Nov 22 14:45:25 worker agent[1]: -----BEGIN EC PRIVATE KEY-----\nNov 22 14:45:25 worker agent[1]: MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY\nNov 22 14:45:25 worker agent[1]: next\n", "", []string{"MHcCAQEE"}},
	{"bearer header", `curl -H "Authorization: Bearer abc123def456" https://10.96.0.1`, `curl -H "Authorization: <redacted>" https://10.96.0.1`, nil},
	{"bearer in a log", `Request Headers: map[Authorization:[Bearer ` + jwt + `]]`, "", []string{jwt}},
	{"bearer without header", "sent bearer 8f14e45fceea167a5a36dedd4bea2543 to 10.0.0.1", "sent bearer <redacted> to 10.0.0.1", nil},
	{"basic header", "authorization: Basic dXNlcjpwYXNzd29yZA==", "authorization: <redacted>", nil},
	{"JWT in prose", "rejected " + jwt + " from 10.0.0.1", "rejected <redacted> from 10.0.0.1", nil},
	{"JWT cut in half", "rejected " + jwt[:40], "rejected <redacted>", nil},
	{"URL userinfo", "HTTPS_PROXY=http://user:pa55@proxy.corp:3128", "HTTPS_PROXY=http://<redacted>@proxy.corp:3128", nil},
	{"URL userinfo with an at sign", "etcd https://root:p@ss@10.0.0.1:2379/v2", "etcd https://<redacted>@10.0.0.1:2379/v2", nil},
	{"URL query", "GET http://10.0.0.1/x?token=0123abcd", "GET http://10.0.0.1/x?token=<redacted>", nil},
	{"flag with equals", "kubelet --token=abc --v=2", "kubelet --token=<redacted> --v=2", nil},
	{"flag with space", "kubeadm join 10.0.0.1:6443 --token abcdef.0123456789abcdef --v 5", "kubeadm join 10.0.0.1:6443 --token <redacted> --v 5", nil},
	{"environment", "WEAVE_PASSWORD=correct,horse;battery", "WEAVE_PASSWORD=<redacted>", nil},
	{"environment in describe", "      WEAVE_PASSWORD:  correct horse battery", "      WEAVE_PASSWORD:  <redacted>", nil},
	{"environment in YAML", "        - name: WEAVE_PASSWORD\n          value: correct horse\n        - name: X\n          value: visible\n", "        - name: WEAVE_PASSWORD\n          value: <redacted>\n        - name: X\n          value: visible\n", nil},
	{"environment in JSON", `[{"name":"WEAVE_PASSWORD","value":"correct \"horse\""},{"name":"X","value":"visible"}]`, `[{"name":"WEAVE_PASSWORD","value":"<redacted>"},{"name":"X","value":"visible"}]`, nil},
	{"environment in indented JSON", "  {\n    \"name\": \"DB_TOKEN\",\n    \"value\": \"abc\"\n  }\n", "  {\n    \"name\": \"DB_TOKEN\",\n    \"value\": <redacted>\n  }\n", nil},
	{"environment in escaped JSON", `err="patch {\"name\":\"DB_SECRET\",\"value\":\"abc\"}"`, `err="patch {\"name\":\"DB_SECRET\",\"value\":\"<redacted>\"}"`, nil},
	{"JSON", `{"password": "a\"b\\c", "user": "x"}`, `{"password": "<redacted>", "user": "x"}`, nil},
	{"escaped JSON", `{\"clientSecret\":\"abc\",\"user\":\"x\"}`, `{\"clientSecret\":\"<redacted>\",\"user\":\"x\"}`, nil},
	{"JSON number", `{"password":12345678}`, `{"password":<redacted>}`, nil},
	{"TOML", `  password = "p w"`, `  password = "<redacted>"`, nil},
	{"registry auth", `{"auths":{"r.io":{"auth":"dXNlcjpwYXNzd29yZA=="}}}`, `{"auths":{"r.io":{"auth":"<redacted>"}}}`, nil},
	{"Go struct", "config {User:calico Password:hunter Token:xyz}", "config {User:calico Password:<redacted> Token:<redacted>}", nil},
	{"YAML block", "password: |\n  first line\n  second\nmtu: 1450\n", "password: |\n  <redacted>\n  <redacted>\nmtu: 1450\n", nil},
	{"log with a timestamp", "2026-11-22T14:56:08.674497683Z stderr F password: correct horse", "2026-11-22T14:56:08.674497683Z stderr F password: <redacted>", nil},
	{"Secret in YAML", "apiVersion: v1\ndata:\n  password: aHVudGVyMg==\n  weave: Y29ycmVjdGhvcnNl\nkind: Secret\n", "apiVersion: v1\ndata:\n  password: <redacted>\n  weave: <redacted>\nkind: Secret\n", nil},
	{"Secret's stringData", "kind: Secret\nstringData:\n  a: plain\ntype: Opaque\n", "kind: Secret\nstringData:\n  <redacted>\ntype: Opaque\n", nil},
	{"Secret in JSON", `x={"kind":"Secret","data":{"a":"aHVudGVyMg=="},"type":"Opaque"}`, "", []string{"aHVudGVyMg"}},
	{"flannel WireGuard", `{"Network":"10.244.0.0/16","Backend":{"Type":"wireguard","PSK":"bm90LWEtcmVhbC1rZXk="}}`, `{"Network":"10.244.0.0/16","Backend":{"Type":"wireguard","PSK":"<redacted>"}}`, nil},
}

func TestRedactSecrets(t *testing.T) {
	for _, tt := range secretTexts {
		t.Run(tt.name, func(t *testing.T) {
			got, n := Text([]byte(tt.text))
			if tt.want != "" && string(got) != tt.want {
				t.Errorf("Redact = %q, want %q", got, tt.want)
			}
			for _, secret := range tt.gone {
				if bytes.Contains(got, []byte(secret)) {
					t.Errorf("Redact left %q in %q", secret, got)
				}
			}
			if n == 0 {
				t.Errorf("Redact counted no secret in %q", tt.text)
			}
			again, n := Text(got)
			if !bytes.Equal(again, got) || n != 0 {
				t.Errorf("Redact of its own output found %d more: %q", n, again)
			}
		})
	}
}

// readable are lines that mention secrets and hold none: evidence needs them
// as they are.
var readable = []string{
	"    certificate-authority-data: " + cert64,
	"    client-certificate-data: " + cert64,
	"-----BEGIN CERTIFICATE-----\nMIIDBTCCAe2gAwIBAgIIL4Jj0wIwDQYJKoZIhvcNAQELBQAw\n-----END CERTIFICATE-----\n",
	`E1122 14:56:08 1 reflector.go:150] "Unhandled Error" err="failed to list *v1.Secret: secrets is forbidden: User \"system:serviceaccount:kube-system:calico-node\" cannot list resource \"secrets\""`,
	`failed (add): error getting ClusterInformation: connection is unauthorized: Unauthorized`,
	`Unable to authenticate the request" err="[invalid bearer token, service account token has expired]"`,
	`failed to fetch token: Post "https://10.96.0.1:443/api/v1/namespaces": dial tcp 10.96.0.1:443: connect: connection refused`,
	`MountVolume.SetUp failed for volume "weave-net-token" : secret "weave-net-token" not found`,
	`Couldn't get secret pod="kube-system/x" secret="kube-system/weave-passwd"`,
	"      secretName: calico-typha-certs\n      secret:\n        defaultMode: 420\n",
	"      WEAVE_PASSWORD:  <set to the key 'weave-passwd' in secret 'weave-passwd'>  Optional: false",
	"        - name: WEAVE_PASSWORD\n          valueFrom:\n            secretKeyRef:\n              key: weave-passwd\n",
	"    TokenExpirationSeconds:  3607",
	"automountServiceAccountToken: true",
	"  bearerTokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token",
	"kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --token-auth-file=/etc/tokens",
	"  authorization:\n    mode: Webhook\n", "--authorization-mode=Node,RBAC", "--client-auth=need",
	"172.18.0.2 dev eth0 lladdr 02:42:ac:12:00:02 REACHABLE",
	`-A POSTROUTING -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully`,
	"udp   UNCONN 0 0 127.0.0.11:37200 0.0.0.0:* users:((\"dockerd\",pid=1,fd=2))",
	`connect to http://10.96.0.10:53/dns-query failed`, `GET https://registry.k8s.io/v2/pause@sha256:0123`,
	"data:\n  calico_backend: vxlan\n  enable-policy: Disabled\n  veth_mtu: \"1450\"\n  typha_service_name: calico-typha\n",
	"data:\n  config.conf: |-\n    kind: KubeProxyConfigurations\nkind: ConfigMap\n",
	"  flannel.alpha.coreos.com/backend-data: '{\"VNI\":1,\"VtepMAC\":\"fe:3f:ab:01:02:03\"}'",
	`      "Token": "10.32.0.0",`, "overwritten (sed on 'token:'), calico-node's own untouched",
	"basic connectivity check: Basic authentication is off",
}

func TestRedactLeavesEvidenceReadable(t *testing.T) {
	for _, text := range readable {
		if got, n := Text([]byte(text)); string(got) != text || n != 0 {
			t.Errorf("Text(%q) = %q, %d secrets; want it unchanged", text, got, n)
		}
	}
}

func TestRedactAcrossChunks(t *testing.T) {
	var all strings.Builder
	for _, tt := range secretTexts {
		all.WriteString(strings.TrimSuffix(tt.text, "\n") + "\n")
	}
	want, wantCount := Text([]byte(all.String()))
	for _, read := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
		var got bytes.Buffer
		r := NewWriter(&got)
		if _, err := io.Copy(struct{ io.Writer }{r}, read(strings.NewReader(all.String()))); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) || r.count != wantCount {
			t.Errorf("in chunks: %d secrets, in one piece: %d, texts equal: %t", r.count, wantCount, bytes.Equal(got.Bytes(), want))
		}
	}
}

// TestRedactLongLine plants a token at every position around the pieces a long
// line is cut into.
func TestRedactLongLine(t *testing.T) {
	const plain = "correct+horse+battery"
	for _, at := range []int{0, longLine - overlap - 40, longLine - overlap, longLine - 60, longLine - 1, longLine + 1, 2*longLine - overlap - 7} {
		line := strings.Repeat("x ", at/2) + " --token " + plain + " " + strings.Repeat("y ", longLine/2)
		got, n := Text([]byte(line))
		if bytes.Contains(got, []byte("correct")) || bytes.Contains(got, []byte("battery")) || n == 0 {
			t.Errorf("token at %d of a line of %d bytes: %d secrets replaced and some of it left", at, len(line), n)
		}
		if want := len(line) - len(plain) + len(placeholder); len(got) != want {
			t.Errorf("token at %d: %d bytes left, want %d", at, len(got), want)
		}
	}
	huge, n := Text([]byte("-----BEGIN PRIVATE KEY-----" + strings.Repeat("A", 3*longLine) + "-----END PRIVATE KEY-----"))
	if n == 0 || len(huge) > longLine/2 {
		t.Errorf("a key longer than a piece: %d secrets, %d bytes left", n, len(huge))
	}
}

func FuzzRedact(f *testing.F) {
	for _, tt := range secretTexts {
		f.Add([]byte(tt.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, _ := Text(text)
		if lines := bytes.Count(text, []byte("\n")); bytes.Count(got, []byte("\n")) != lines {
			t.Errorf("Redact changed the number of lines of %q", text)
		}
	})
}

func BenchmarkText(b *testing.B) {
	line := "Nov 22 14:56:05.503881 worker kubelet[630]: I1122 14:56:05.503823 630 reconciler.go:251] \"operationExecutor.VerifyControllerAttachedVolume started for volume \\\"kube-api-access\\\" (UniqueName: \\\"kubernetes.io/projected/token\\\")\"\n"
	text := bytes.Repeat([]byte(line), 5000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Text(text)
	}
}
