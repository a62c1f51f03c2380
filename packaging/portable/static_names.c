/* SPDX-License-Identifier: MIT */
/* static_names.c - keeps a static program from loading the name services of the system's libc,
 * which is another one than its own. Names come from /etc/hosts and DNS. */
#include <netdb.h>
#include <nss.h>

__attribute__((constructor)) static void use_files_and_dns(void)
{
    (void)__nss_configure_lookup("hosts", "files dns");
}
