// A naive till, which does not pass the certification. It reports declined for every status but
// 200, each press is a new purchase, and it trusts every server. It needs nothing but .NET. See
// docs/certify-csharp.md.

using System;
using System.IO;
using System.Net;

static class Naive
{
    static string Given(string name) => Environment.GetEnvironmentVariable(name);

    static int Main()
    {
        ServicePointManager.SecurityProtocol |= SecurityProtocolType.Tls12;
        ServicePointManager.ServerCertificateValidationCallback = (sender, certificate, chain, errors) => true;
        var request = (HttpWebRequest)WebRequest.Create(Given("ENGAGE_URL") + "/api/v3/point-shop-items/purchase");
        request.Method = "POST";
        request.Timeout = 20000;
        request.Proxy = null;
        request.UserAgent = "NaiveTill/1.0";
        request.ContentType = "application/json";
        request.Headers["apikey"] = Given("ENGAGE_KEY");
        try
        {
            using (var body = new StreamWriter(request.GetRequestStream()))
            {
                body.Write("{\"contactId\":\"" + Given("ENGAGE_CONTACT") + "\",\"pointShopItemPurchaseId\":\"" + Guid.NewGuid()
                    + "\",\"pointShopItemId\":\"" + Given("ENGAGE_ITEM") + "\"}");
            }
            using (request.GetResponse()) Console.WriteLine("completed");
            return 0;
        }
        catch (WebException problem)
        {
            Console.WriteLine("failed: " + problem.Status);
            return 10;
        }
    }
}
