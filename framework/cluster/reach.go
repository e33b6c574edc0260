// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"

	"github.com/cniproof/cniproof/framework/config"
)

// reach asks the API server for its version. An error is a *config.Problem that
// says why the server cannot be used. It returns when ctx ends even where a
// credential plugin does not: client-go starts plugins without a context.
func reach(ctx context.Context, client kubernetes.Interface, server string) (string, error) {
	type answer struct {
		version string
		err     error
	}
	answers := make(chan answer, 1)
	start := time.Now()
	go func() {
		body, err := client.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
		if err != nil {
			answers <- answer{err: err}
			return
		}
		version, err := parseVersion(body)
		answers <- answer{version, err}
	}()
	select {
	case a := <-answers:
		if a.err == nil {
			return a.version, nil
		}
		return "", unreachable(server, a.err)
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return "", ctx.Err()
		}
		return "", &config.Problem{
			What: fmt.Sprintf("the API server at %s did not answer within %.0fs", serverHost(server), time.Since(start).Seconds()),
			Do:   "check the network path to it, and the credential plugin if the kubeconfig names one",
		}
	}
}

// unreachable says of the first request's error what a person can do about it.
func unreachable(server string, err error) error {
	at := serverHost(server)
	problem := func(what, do string) error {
		return &config.Problem{What: fmt.Sprintf(what, at), Do: do, Err: plain(err)}
	}
	var (
		dns         *net.DNSError
		unknown     x509.UnknownAuthorityError
		hostname    x509.HostnameError
		invalid     x509.CertificateInvalidError
		verifies    *tls.CertificateVerificationError
		notTLS      tls.RecordHeaderError
		networkFail net.Error
	)
	switch {
	case strings.Contains(err.Error(), "getting credentials:"):
		return problem("the credential plugin of the kubeconfig for %s failed", "run it by hand, or log in again")
	case apierrors.IsUnauthorized(err):
		return problem("the API server at %s does not accept the credentials (401)", "renew the kubeconfig's credentials, or choose another -context")
	case apierrors.IsForbidden(err):
		return problem("the API server at %s refuses to tell its version (403)", "use credentials that may do more")
	case errors.As(err, &dns):
		return problem("the name of the API server %s does not resolve", "check the kubeconfig's server address and this machine's DNS")
	case errors.As(err, &unknown):
		return problem("the certificate of the API server at %s is signed by an unknown authority", "put the cluster's CA into the kubeconfig")
	case errors.As(err, &hostname), errors.As(err, &invalid), errors.As(err, &verifies):
		return problem("the certificate of the API server at %s is not valid for it", "check the kubeconfig's server address and the certificate's dates and names")
	case errors.As(err, &notTLS), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return problem("what answers at %s does not speak TLS", "check the kubeconfig's server address")
	case errors.Is(err, syscall.ECONNREFUSED):
		return problem("nothing listens at the API server's address %s", "start the cluster, or check the kubeconfig's server address")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return problem("there is no route to the API server at %s", "connect to its network, or check the kubeconfig's server address")
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &networkFail) && networkFail.Timeout():
		return problem("the API server at %s did not answer in time", "check the network path to it, firewalls and proxies included")
	default:
		return problem("the API server at %s does not answer as one", "check the kubeconfig's server address, and that the cluster is healthy")
	}
}

// plain is err without the request's URL, which may hold credentials.
func plain(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err
	}
	return err
}

// serverHost is the address a person recognises, without credentials or a path.
func serverHost(server string) string {
	if u, err := url.Parse(server); err == nil && u.Host != "" {
		return u.Host
	}
	return "(no address)"
}
