#!/bin/sh
# A till as one writes it in an afternoon, with curl. It sells, and it does not pass: what is not a 200 it calls refused, and
# every press is a new purchase. See "Certify a till" in the README.
purchase=$(cat /proc/sys/kernel/random/uuid)
status=$(curl --silent --max-time 20 --cacert "$ENGAGE_CA" --output /dev/null --write-out '%{http_code}' \
    --header "apikey: $ENGAGE_KEY" --header 'User-Agent: NaiveTill/1.0' --header 'Content-Type: application/json' \
    --data "{\"contactId\":\"$ENGAGE_CONTACT\",\"pointShopItemPurchaseId\":\"$purchase\",\"pointShopItemId\":\"$ENGAGE_ITEM\"}" \
    "$ENGAGE_URL/api/v3/point-shop-items/purchase")
if [ "$status" = 200 ]; then
    echo "bought"
    exit 0
fi
echo "failed: $status"
exit 10
